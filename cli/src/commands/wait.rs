//! Waits until invalidations are done: `GET /__isr/invalidations/<seq>`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Context;
use super::receipt::Receipt;
use crate::connection::Call;
use crate::failure::Failure;

/// Time between two questions.
const INTERVAL: Duration = Duration::from_millis(500);

/// Waits until invalidations are done; at most `patience`. Returns whether they are.
///
/// # Errors
/// Fails at once if the deployment refuses the question, and at the end if the last question failed.
pub(super) fn until_done(context: Context<'_>, receipts: &mut [Receipt], patience: Duration) -> Result<bool, Failure> {
    let deadline = context.clock.now().plus(patience);
    // It draws only on a terminal.
    let bar = ProgressBar::new(0).with_style(ProgressStyle::default_bar());
    loop {
        let pending = receipts.iter().filter(|receipt| !receipt.is_done()).count();
        let applied: u64 = receipts.iter().map(|receipt| receipt.read.shards.applied).sum();
        bar.set_length(applied + receipts.iter().map(|receipt| receipt.read.shards.pending).sum::<u64>());
        bar.set_position(applied);
        if pending == 0 {
            bar.finish_and_clear();
            return Ok(true);
        }
        if context.clock.now() >= deadline {
            bar.finish_and_clear();
            return Ok(false);
        }
        context.clock.sleep(INTERVAL);
        if let Err(failure) = ask(context, receipts)
            && (!failure.may_pass() || context.clock.now() >= deadline)
        {
            bar.finish_and_clear();
            return Err(failure);
        }
    }
}

/// Asks about the progress of those that are not done.
fn ask(context: Context<'_>, receipts: &mut [Receipt]) -> Result<(), Failure> {
    for receipt in receipts.iter_mut().filter(|receipt| !receipt.is_done()) {
        let json = context.service.ask(&Call::get(format!("/__isr/invalidations/{}", receipt.read.seq)))?;
        *receipt = Receipt::read(&json)?;
    }
    Ok(())
}
