//! One year in fast forward: prints the size of every table after each month, and fails if one grows. `cargo xtask year`
//! starts this program.

use std::process::ExitCode;
use std::time::Instant;

use cloudflare_isr_simulation::{Scale, year};

fn main() -> ExitCode {
    let began = Instant::now();
    let scale = if std::env::var_os("SMALL").is_some() { Scale::SMALL } else { Scale::FULL };
    let result = year(scale);
    let seconds = began.elapsed().as_secs();
    match result {
        Ok(table) => {
            println!("{table}\n{scale:?} took {seconds} s");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}\n{scale:?} took {seconds} s");
            ExitCode::FAILURE
        }
    }
}
