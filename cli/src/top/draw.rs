//! Draws the screen.

use cloudflare_isr::Timestamp;
use cloudflare_isr::internals::inspection::answer::{BreakerWord, ShardState};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table, Wrap};

use super::View;
use super::snapshot::{Coordinator, Overview, Snapshot, Sums};
use crate::show::{clean, number, when};

/// The most problems on the screen.
const MAX_PROBLEMS: usize = 3;

/// Draws what the view has.
pub(super) fn draw(view: &View, frame: &mut Frame<'_>) {
    let problems = problems(view);
    let heights = [
        Constraint::Length(1),
        Constraint::Length(u16::try_from(problems.len()).unwrap_or(u16::MAX)),
        Constraint::Length(6),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Length(1),
    ];
    let [head, trouble, sums, coordinators, below, foot] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(title(view), head);
    frame.render_widget(Paragraph::new(problems), trouble);
    frame.render_widget(Line::from(" q quit   n next coordinators   f first coordinators   ↑ ↓ scroll").dim(), foot);
    let Some(snapshot) = &view.snapshot else {
        return frame.render_widget(Paragraph::new("The deployment is being asked …"), sums);
    };
    frame.render_widget(totals(&snapshot.overview.totals, sums), sums);
    frame.render_widget(table_of_coordinators(&snapshot.overview, view.scrolled), coordinators);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(below);
    frame.render_widget(hottest(&snapshot.overview), left);
    frame.render_widget(invalidations(snapshot), right);
}

/// The first line: which deployment, when, and how it is.
fn title(view: &View) -> Line<'static> {
    let mut spans = vec![Span::from(format!(" {}  ", clean(&view.site))).bold()];
    if let Some(Snapshot { overview, health, .. }) = &view.snapshot {
        let word = if health.healthy {
            "healthy".to_owned().green()
        } else {
            number(health.problems.len() as u64, "problem").red().bold()
        };
        let checked = &overview.checked;
        let known = checked.known.map(|known| format!(" of {known}")).unwrap_or_default();
        let silent = checked.asked.saturating_sub(checked.answered.unwrap_or(checked.asked));
        spans.push(word);
        spans.push(Span::from(format!("  {}{known} coordinators", checked.asked)));
        if silent > 0 {
            spans.push(format!(", {silent} without an answer").red());
        }
        spans.push(Span::from(format!("  {} UTC", when(Some(overview.now), overview.now))).dim());
    }
    Line::from(spans)
}

/// What is wrong, line by line.
fn problems(view: &View) -> Vec<Line<'static>> {
    let failure = view.failure.iter().map(|failure| Line::from(format!(" {}", clean(failure))).red());
    let problems = view.snapshot.iter().flat_map(|snapshot| &snapshot.health.problems);
    let problems =
        problems.map(|problem| Line::from(format!(" {}: {}", clean(&problem.code), clean(&problem.message))).yellow());
    failure.chain(problems).take(MAX_PROBLEMS).collect()
}

/// The sums, and a bar of the pages by state.
fn totals(sums: &Sums, area: Rect) -> Paragraph<'static> {
    let pages = sums.pages;
    let states = [
        ("fresh", pages.fresh, Color::Green),
        ("stale", pages.stale, Color::Yellow),
        ("expired", pages.expired, Color::Red),
        ("passing", sums.passing, Color::Blue),
    ];
    let mut words: Vec<Span<'static>> = vec![Span::from(format!("{} keys   ", sums.keys))];
    for (word, count, color) in states {
        words.push(Span::styled(format!("{count} {word}   "), Style::new().fg(color)));
    }
    if sums.uncounted > 0 {
        words.push(format!("{} not counted", number(sums.uncounted, "coordinator")).dim());
    }
    let all: u64 = states.iter().map(|(_, count, _)| count).sum();
    let width = u64::from(area.width.saturating_sub(2));
    let bar = states.map(|(_, count, color)| {
        let columns = (count * width).checked_div(all).unwrap_or_default();
        Span::styled("█".repeat(usize::try_from(columns).unwrap_or_default()), Style::new().fg(color))
    });
    let alarm = |text: String, is_bad: bool| if is_bad { text.red() } else { Span::from(text) };
    let work = Line::from(vec![
        Span::from(format!("{} renders   ", sums.renders)),
        alarm(format!("{} failing   ", sums.failing), sums.failing > 0),
        Span::from(format!("L2: {} pending, ", sums.l2.pending)),
        alarm(format!("{} refused   ", sums.l2.failing), sums.l2.failing > 0),
        Span::from(format!("{} sweeps with {} pages   {} tags", sums.sweeps.open, sums.sweeps.pages, sums.tags)),
    ]);
    let breakers = alarm(
        format!("breakers: {} open, {} half open", sums.breaker.open, sums.breaker.half_open),
        sums.breaker.open + sums.breaker.half_open > 0,
    );
    let lines = vec![Line::from(words), Line::from(bar.to_vec()), work, Line::from(breakers)];
    Paragraph::new(lines).block(block("Pages")).wrap(Wrap { trim: false })
}

fn block(title: &'static str) -> Block<'static> {
    Block::new().borders(Borders::ALL).title(format!(" {title} "))
}

fn head(names: &[&'static str]) -> Row<'static> {
    Row::new(names.to_vec()).style(Style::new().add_modifier(Modifier::BOLD))
}

fn table_of_coordinators(overview: &Overview, scrolled: u16) -> Table<'static> {
    let rows = overview.coordinators.iter().skip(usize::from(scrolled)).map(row_of_coordinator);
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
    ];
    let names = ["coordinator", "keys", "fresh", "stale", "expired", "failing", "renders", "breaker"];
    Table::new(rows, widths).header(head(&names)).block(block("Coordinators"))
}

fn row_of_coordinator(coordinator: &Coordinator) -> Row<'static> {
    let Coordinator { shard, keys, state, breaker } = coordinator;
    let count =
        |of: fn(&ShardState) -> u64| state.as_ref().map_or_else(|| "–".to_owned(), |state| of(state).to_string());
    let breaker_word = match breaker.state {
        BreakerWord::Closed => "closed",
        BreakerWord::Open => "open",
        BreakerWord::HalfOpen => "half open",
    };
    let is_bad = breaker.state != BreakerWord::Closed || state.as_ref().is_some_and(|state| state.failing > 0);
    let row = Row::new(vec![
        clean(shard),
        keys.to_string(),
        count(|state| state.pages.fresh),
        count(|state| state.pages.stale),
        count(|state| state.pages.expired),
        count(|state| state.failing),
        count(|state| state.renders),
        breaker_word.to_owned(),
    ]);
    if is_bad { row.style(Style::new().fg(Color::Red)) } else { row }
}

fn hottest(overview: &Overview) -> Table<'static> {
    let until = |at: Option<Timestamp>| when(at, overview.now);
    let rows = overview.hottest.iter();
    let rows = rows.map(|page| Row::new(vec![clean(&page.key), page.heat.to_string(), until(page.fresh_until)]));
    let widths = [Constraint::Fill(1), Constraint::Length(6), Constraint::Length(11)];
    Table::new(rows, widths).header(head(&["page", "heat", "fresh until"])).block(block("Hottest pages"))
}

fn invalidations(snapshot: &Snapshot) -> Table<'static> {
    let rows = snapshot.invalidations.iter().map(|receipt| {
        let [seq, target, mode, pages, applied, pending] = receipt.row();
        let is_pending = pending != "0";
        let row = Row::new(vec![seq, clean(&target), mode, pages, applied, pending]);
        if is_pending { row.style(Style::new().fg(Color::Yellow)) } else { row }
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Fill(1),
        Constraint::Length(13),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    let names = ["number", "target", "mode", "pages", "applied", "pending"];
    Table::new(rows, widths).header(head(&names)).block(block("Invalidations"))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::top::snapshot::tests::snapshot;

    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(view, frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let line = |row: u16| {
            (0..width).map(|column| buffer[(column, row)].symbol()).collect::<String>().trim_end().to_owned()
        };
        (0..height).map(line).collect()
    }

    #[test]
    fn the_screen_shows_what_the_deployment_has_answered() {
        let view = View { site: "https://e.com".to_owned(), snapshot: Some(snapshot()), ..View::default() };
        let lines = drawn(&view, 120, 30);
        let text = lines.join("\n");
        assert_eq!(lines[0], " https://e.com  1 problem  2 of 40 coordinators  22:16:50 UTC");
        assert_eq!(lines[1], " breaker_open: the circuit breaker of /blog/*#0 is open");
        for part in [
            "900011 keys   6 fresh   3 stale   1 expired   1 passing   1 coordinator not counted",
            "3 renders   2 failing   L2: 5 pending, 1 refused   1 sweeps with 7 pages   4 tags",
            "breakers: 1 open, 0 half open",
            "https://e.com/blog/hot",
            "tag post:42",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let row = lines.iter().find(|line| line.contains("/blog/*#0") && line.contains("11")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[1..8], ["11", "6", "3", "1", "2", "3", "open"], "{row}");
        assert!(lines.iter().any(|line| line.contains("/blog/*#1") && line.contains("900000")), "{text}");
        assert!(lines[29].starts_with(" q quit"), "{text}");
    }

    #[test]
    fn a_failed_question_is_shown_above_the_last_answer() {
        let failure = Some("https://e.com could not be reached".to_owned());
        let view = View { snapshot: Some(snapshot()), failure, ..View::default() };
        let lines = drawn(&view, 80, 24);
        assert_eq!(lines[1], " https://e.com could not be reached");
        assert!(lines.join("\n").contains("900011 keys"));
    }

    #[test]
    fn any_size_of_a_terminal_will_do() {
        let view = View { snapshot: Some(snapshot()), scrolled: 1, ..View::default() };
        for (width, height) in [(1, 1), (10, 3), (40, 10), (300, 100)] {
            drawn(&view, width, height);
            drawn(&View::default(), width, height);
        }
        let text = drawn(&view, 120, 30).join("\n");
        assert!(!text.contains("/blog/*#0   ") && text.contains("/blog/*#1"), "it is scrolled\n{text}");
    }
}
