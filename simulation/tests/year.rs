//! A hundredth of a year: no table grows with what has ever existed.

use cloudflare_isr_simulation::{Scale, year};

#[test]
fn after_the_second_month_of_a_year_no_table_grows() {
    if let Err(problems) = year(Scale::part(100)) {
        panic!("{problems}");
    }
}
