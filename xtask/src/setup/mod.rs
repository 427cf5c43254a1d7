//! Finds or installs the requirements on the machine.
//!
//! Each requirement is installed only if it is missing, so the set-up runs before every task and takes a moment.

pub(crate) mod chromium;
mod debian;
mod debian_rust;
mod node;
pub(crate) mod sites;
mod tools;
mod wasm;

use anyhow::Result;

use crate::project::Project;
use crate::stamp;

pub(crate) use node::Node;
pub(crate) use tools::Tools;
pub(crate) use wasm::Toolchain;

/// The requirements for building and running the Worker.
pub(crate) struct Setup {
    /// Node.js and npm packages.
    pub(crate) node: Node,
    /// A Rust toolchain with the standard library for Wasm.
    pub(crate) toolchain: Toolchain,
    /// `worker-build` and `wasm-bindgen`.
    pub(crate) tools: Tools,
}

/// Finds or installs all of them. Concurrent runs wait for each other: the second finds what the first installed.
pub(crate) fn run(project: &Project) -> Result<Setup> {
    let _lock = stamp::lock(&project.tools())?;
    let node = Node::set_up(project)?;
    let toolchain = Toolchain::set_up(project)?;
    let tools = Tools::set_up(project)?;
    Ok(Setup { node, toolchain, tools })
}
