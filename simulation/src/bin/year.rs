//! One year in fast forward: prints the size of every table after each month, and fails if one grows. `cargo xtask year`
//! starts this program. The variable `PART` makes the year smaller.

use std::process::ExitCode;

use cloudflare_isr_simulation::{Scale, year};

fn main() -> ExitCode {
    let part = std::env::var("PART").ok().and_then(|part| part.parse().ok());
    let scale = Scale::part(part.unwrap_or(1).clamp(1, 100));
    match year(scale) {
        Ok(table) => {
            println!("{table}\n{scale:?}");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}\n{scale:?}");
            ExitCode::FAILURE
        }
    }
}
