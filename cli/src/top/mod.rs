//! `isr top`: a live screen over `GET /__isr/overview` and `GET /__isr/health`.
//!
//! A thread asks the deployment, and the screen shows what it has answered: [`draw`](draw::draw) is a pure function of the
//! [`View`]. So a deployment that hangs does not hold the keys.

mod draw;
mod snapshot;

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::draw::draw;
use self::snapshot::Snapshot;
use crate::commands::Clock;
use crate::connection::{Client, Site};
use crate::failure::{Failure, Verdict};

/// How long the screen waits for a key before it looks for an answer.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// What is on the screen.
#[derive(Debug, Default)]
struct View {
    /// The deployment.
    site: String,
    /// The last answer.
    snapshot: Option<Snapshot>,
    /// Why the last question failed.
    failure: Option<String>,
    /// The place in the list of coordinators; `None`: its beginning.
    after: Option<String>,
    /// How many rows the lists are scrolled.
    scrolled: u16,
}

/// What a key does.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// End.
    Quit,
    /// Ask at once: the question has changed.
    Ask,
    /// Nothing more.
    Nothing,
}

impl View {
    /// Handles a key.
    fn press(&mut self, key: KeyEvent) -> Wish {
        let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
            _ if is_interrupt => Wish::Quit,
            KeyCode::Char('n') => {
                let next = self.snapshot.as_ref().and_then(|snapshot| snapshot.overview.after.clone());
                if next.is_none() {
                    return Wish::Nothing;
                }
                self.after = next;
                self.scrolled = 0;
                Wish::Ask
            }
            KeyCode::Char('f') => {
                self.after = None;
                self.scrolled = 0;
                Wish::Ask
            }
            KeyCode::Down => {
                self.scrolled = self.scrolled.saturating_add(1);
                Wish::Nothing
            }
            KeyCode::Up => {
                self.scrolled = self.scrolled.saturating_sub(1);
                Wish::Nothing
            }
            _ => Wish::Nothing,
        }
    }

    /// Takes an answer.
    fn take(&mut self, answer: Result<Snapshot, Failure>) {
        match answer {
            Ok(snapshot) => {
                self.snapshot = Some(snapshot);
                self.failure = None;
            }
            // The last answer stays on the screen.
            Err(failure) => self.failure = Some(failure.to_string()),
        }
    }
}

/// Shows the deployment until `q` is pressed.
pub(crate) fn top(client: Client, site: &Site, every: u64, clock: &dyn Clock) -> Result<Verdict, Failure> {
    if !io::stdout().is_terminal() {
        let message = "`top` needs a terminal. For a script, use `isr status --json`.";
        return Err(Failure::Usage(message.to_owned()));
    }
    // A wrong token or URL is said before the screen is taken.
    let first = Snapshot::ask(&client, None)?;
    let view = View { site: site.to_string(), snapshot: Some(first), ..View::default() };
    let (questions, asked) = channel();
    let (answered, answers) = channel();
    // The thread ends when the screen drops its end of the channel; a call under way does not hold the program.
    thread::spawn(move || answer(&client, &asked, &answered));
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, view, &questions, &answers, Duration::from_secs(every), clock);
    ratatui::try_restore()?;
    shown.map(|()| Verdict::Yes)
}

/// Answers questions about the deployment, one by one.
fn answer(client: &Client, asked: &Receiver<Option<String>>, answered: &Sender<Result<Snapshot, Failure>>) {
    while let Ok(after) = asked.recv() {
        if answered.send(Snapshot::ask(client, after.as_deref())).is_err() {
            return;
        }
    }
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    mut view: View,
    questions: &Sender<Option<String>>,
    answers: &Receiver<Result<Snapshot, Failure>>,
    every: Duration,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let mut is_asking = false;
    let mut next = clock.now().plus(every);
    loop {
        terminal.draw(|frame| draw(&view, frame))?;
        if event::poll(KEY_WAIT)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            match view.press(key) {
                Wish::Quit => return Ok(()),
                Wish::Ask => next = clock.now(),
                Wish::Nothing => {}
            }
        }
        if let Ok(answer) = answers.try_recv() {
            is_asking = false;
            view.take(answer);
        }
        if !is_asking && clock.now() >= next {
            // The thread lives as long as this loop.
            is_asking = questions.send(view.after.clone()).is_ok();
            next = clock.now().plus(every);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(view: &mut View, code: KeyCode) -> Wish {
        view.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_quit_page_and_scroll() {
        let mut view = View::default();
        assert_eq!(press(&mut view, KeyCode::Char('q')), Wish::Quit);
        assert_eq!(view.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Wish::Quit);
        assert_eq!(press(&mut view, KeyCode::Char('n')), Wish::Nothing, "nothing follows");
        press(&mut view, KeyCode::Down);
        press(&mut view, KeyCode::Down);
        press(&mut view, KeyCode::Up);
        assert_eq!(view.scrolled, 1);
        view.take(Ok(snapshot::tests::snapshot()));
        assert_eq!(press(&mut view, KeyCode::Char('n')), Wish::Ask);
        assert_eq!((view.after.as_deref(), view.scrolled), (Some("/blog/*#1"), 0));
        assert_eq!(press(&mut view, KeyCode::Char('f')), Wish::Ask);
        assert_eq!(view.after, None);
    }

    #[test]
    fn the_last_answer_stays_while_a_question_fails() {
        let mut view = View::default();
        view.take(Ok(snapshot::tests::snapshot()));
        view.take(Err(Failure::Unauthorized));
        assert!(view.snapshot.is_some() && view.failure.is_some());
        view.take(Ok(snapshot::tests::snapshot()));
        assert!(view.failure.is_none());
    }
}
