//! The streams from the tag index that a deployment's [`Polling`](crate::visit::Polling) decides on.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use futures::future::try_join_all;
use worker::{Context, Env};

use crate::edge::platform::{calls, js};
use crate::edge::settings::Settings;
use crate::error::ObjectError;
use crate::metrics::CalledObject;
use crate::protocol::{FrameReader, NoFrame, ToTagIndex};
use crate::tag_index_name::TagIndexName;
use crate::visit::pushing::READ_FOR;
use crate::visit::{Push, PushEnd, PushNumber, PushProgress};

/// Opens a stream behind the response of a request, and reads it until it ends.
pub(super) fn open(env: &Env, context: &Context, settings: &Rc<Settings>, number: PushNumber) {
    let (env, settings) = (env.clone(), Rc::clone(settings));
    context.wait_until(async move {
        let how = match js::within(READ_FOR, listen(&env, &settings, number)).await {
            Some(Err(how)) => how,
            Some(Ok(never)) => match never {},
            None => PushEnd::Lost,
        };
        settings.deployment.polling.borrow_mut().end_push(number, how, js::now(), js::random());
    });
}

/// Reads the streams of all objects, until one of them ends.
async fn listen(env: &Env, settings: &Settings, number: PushNumber) -> Result<Infallible, PushEnd> {
    let tag_shards = settings.config.tag_shards;
    let push = RefCell::new(Push::new(number, TagIndexName::all(tag_shards)));
    let parts = TagIndexName::all(tag_shards).map(|index| listen_to(env, settings, &push, index));
    // It does not end without an error: each part reads until its stream ends.
    match try_join_all(parts).await?.pop() {
        Some(never) => match never {},
        None => Err(PushEnd::Lost),
    }
}

async fn listen_to(
    env: &Env,
    settings: &Settings,
    push: &RefCell<Push>,
    index: TagIndexName,
) -> Result<Infallible, PushEnd> {
    let (question, every) = settings.deployment.with(|polling| push.borrow().question(index, polling));
    let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    if settings.config.metrics {
        settings.deployment.tally.borrow_mut().called(CalledObject::TagIndex, js::now());
    }
    let message = ToTagIndex::Listen { since: question.since, known: question.known, every };
    let asked = calls::listen(env, index, settings.config.tag_shards, message);
    let patience = push.borrow().patience(index);
    let stream = match js::within(patience, asked).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => return Err(failed(index, &error)),
        None => return Err(PushEnd::Lost),
    };
    let mut reader = FrameReader::default();
    loop {
        let patience = push.borrow().patience(index);
        match js::within(patience, stream.next()).await {
            Some(Ok(Some(piece))) => {
                let frames = reader.take(&piece.to_vec()).map_err(|NoFrame| PushEnd::Lost)?;
                let mut polling = settings.deployment.polling.borrow_mut();
                for frame in frames {
                    if push.borrow_mut().hear(&mut polling, index, frame, js::now()) == PushProgress::Broken {
                        return Err(PushEnd::Lost);
                    }
                }
            }
            Some(Ok(None)) => return Err(PushEnd::Over),
            Some(Err(_)) | None => return Err(PushEnd::Lost),
        }
    }
}

/// Returns what the failure of an object means for its stream. An object of an older version does not know the message.
fn failed(index: TagIndexName, error: &ObjectError) -> PushEnd {
    worker::console_warn!("feed: {index} opens no stream: {error}");
    match error {
        ObjectError::Refused { .. } | ObjectError::NotUnderstood | ObjectError::Overloaded { .. } => PushEnd::Refused,
        ObjectError::Unbound
        | ObjectError::Unreachable { .. }
        | ObjectError::Timeout
        | ObjectError::Garbled
        | ObjectError::Storage { .. } => PushEnd::Lost,
    }
}
