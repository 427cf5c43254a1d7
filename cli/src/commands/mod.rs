//! The commands that ask and steer a deployment. Each makes calls from its arguments and a report from the answers.

mod dry_run;
mod entry;
mod explain;
mod health;
mod invalidate;
mod lists;
mod receipt;
mod routes;
mod tail;
mod wait;

use cloudflare_isr::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::entry::entry;
pub(crate) use self::explain::explain;
pub(crate) use self::health::{Health, health};
pub(crate) use self::invalidate::invalidate;
pub(crate) use self::lists::{shard, tags};
pub(crate) use self::receipt::Receipt;
pub(crate) use self::routes::routes;
pub(crate) use self::tail::tail;
use crate::connection::{Service, Site};
use crate::failure::Failure;
use crate::show::Screen;

/// What a command works with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Performs calls.
    pub(crate) service: &'a dyn Service,
    /// The deployment.
    pub(crate) site: &'a Site,
    /// Where results go.
    pub(crate) screen: Screen,
    /// The time.
    pub(crate) clock: &'a dyn Clock,
}

/// The time, and the only way to wait.
pub(crate) trait Clock {
    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn sleep(&self, duration: std::time::Duration);
}

/// Reads an answer.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::Misunderstood(format!(
            "{error}. The deployment may have a later version than this program ({}); --json prints its answers as they \
             are.",
            env!("CARGO_PKG_VERSION")
        ))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::connection::tests::Prepared;

    /// A clock that only moves when somebody waits.
    #[derive(Default)]
    pub(crate) struct Stopped(Cell<u64>);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_700_000_210_000 + self.0.get())
        }

        fn sleep(&self, duration: Duration) {
            self.0.set(self.0.get() + u64::try_from(duration.as_millis()).unwrap());
        }
    }

    /// Runs a command with prepared answers. Returns its result and the calls that it made.
    pub(crate) fn with_answers<T>(
        answers: impl IntoIterator<Item = (u16, Value)>,
        run: impl FnOnce(Context<'_>) -> T,
    ) -> (T, Vec<String>) {
        let service = Prepared::new(answers);
        let site = Site::parse("https://example.com").unwrap();
        let clock = Stopped::default();
        let context = Context { service: &service, site: &site, screen: Screen::default(), clock: &clock };
        (run(context), service.calls())
    }
}
