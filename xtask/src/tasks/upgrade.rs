//! `cargo xtask test --upgrade`.

use anyhow::Result;

use crate::command::step;
use crate::previous::Previous;
use crate::project::Project;
use crate::{setup, worker};

/// The environment variable with the folder of the previous version.
const VARIABLE: &str = "ISR_PREVIOUS";

/// Runs the previous version's tests of its tables on the new schema, reads its messages and stored values, and then runs both
/// versions side by side in the real runtime.
pub(crate) fn run(project: &Project) -> Result<()> {
    let previous = Previous::unpack(project)?;
    previous.test_on_schema_of(project)?;
    previous.test_formats(project)?;
    let setup = setup::run(project)?;
    worker::build(project, &setup)?;
    let folder = previous.build(&setup)?;
    step("running every combination of the previous version and this one under traffic");
    setup.node.script(&["tests/upgrade/run.mjs"])?.env(VARIABLE, folder).run()
}
