//! `cargo xtask check`.

use anyhow::Result;

use super::{GATEWAY, SITE};
use crate::command::{Run, step};
use crate::project::{Project, TARGET};
use crate::{setup, worker};

/// Performs all checks that need no test run; the quick ones come first.
pub(crate) fn run(project: &Project) -> Result<()> {
    let cargo = |args: &[&str]| Run::new(project.root(), "cargo").args(args);

    step("formatting");
    cargo(&["fmt", "--all", "--check"]).run()?;
    step("lints on the host");
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()?;
    step("the core without the Workers platform: it must not depend on it");
    cargo(&["check", "--no-default-features"]).run()?;
    step("documentation");
    cargo(&["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings").run()?;

    let setup = setup::run(project)?;
    step("types of the entry module");
    setup.node.program("tsc")?.args(["-p", "src/edge/entry"]).run()?;
    step("types of the dashboard");
    setup.node.program("tsc")?.args(["-p", "src/edge/dashboard"]).run()?;
    step("lints of the Worker, for Wasm");
    setup
        .toolchain
        .clippy(project)?
        .env("CARGO_TARGET_DIR", worker::target(project))
        // The same setting as in worker-build, so that both compile the same.
        .env("WASM_BINDGEN_USE_JS_SYS", "1")
        .args(["--lib", "--target", TARGET, "--features", worker::FEATURE, "--", "-D", "warnings"])
        .run()?;

    worker::build(project, &setup)?;
    for (name, config) in [("gateway", GATEWAY), ("site", SITE)] {
        step(&format!("whether the {name} could be deployed"));
        let out = project.target().join("dry-run").join(name);
        setup.node.wrangler("deploy")?.args(["--dry-run", "-c", config, "--outdir"]).arg(out).run()?;
    }
    Ok(())
}
