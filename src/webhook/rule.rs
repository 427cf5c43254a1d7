//! What a webhook invalidates: rules that make targets of its body.

use serde_json::Value;

use super::template::{Pointer, Template, TooMany, scalar};
use crate::invalidation::{Call, InvalidateError, MAX_TARGETS, Mode, Refresh, Target, TargetField};

/// A rule: if its conditions hold, each template makes targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What must hold, all of it.
    pub when: Vec<Condition>,
    /// What is invalidated.
    pub targets: Vec<TargetTemplate>,
    /// Whether everything is.
    pub everything: bool,
    /// The effect on the pages.
    pub mode: Mode,
    /// When they are rendered again.
    pub refresh: Refresh,
}

/// A condition: one of the values at a place is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The place in the body.
    pub pointer: Pointer,
    /// The values, as texts.
    pub values: Vec<String>,
}

/// A template of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTemplate {
    /// What it makes.
    pub field: TargetField,
    /// The text.
    pub template: Template,
}

/// A target that a delivery names, and that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The field.
    pub field: TargetField,
    /// The text that the template made.
    pub text: String,
    /// What is wrong with it.
    pub error: InvalidateError,
}

/// What a delivery invalidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// A call for each combination of mode and refresh, without repetitions.
    pub calls: Vec<Call>,
    /// The targets that are not valid.
    pub skipped: Vec<Skipped>,
}

impl Condition {
    fn holds(&self, body: &Value) -> bool {
        self.pointer.values(body).into_iter().filter_map(scalar).any(|value| self.values.contains(&value))
    }
}

/// Applies rules to the body of a delivery.
///
/// # Errors
/// There are more than [`MAX_TARGETS`].
pub(super) fn apply(rules: &[Rule], body: &Value) -> Result<Mapped, TooMany> {
    let mut mapped = Mapped::default();
    let mut count = 0;
    for rule in rules.iter().filter(|rule| rule.when.iter().all(|condition| condition.holds(body))) {
        if rule.everything {
            mapped.add(rule, Target::Everything);
        }
        for TargetTemplate { field, template } in &rule.targets {
            let texts = template.fill(body, MAX_TARGETS)?;
            count += texts.len();
            if count > MAX_TARGETS {
                return Err(TooMany);
            }
            for text in texts {
                match Target::parse(*field, &text) {
                    Ok(target) => mapped.add(rule, target),
                    Err(error) => mapped.skipped.push(Skipped { field: *field, text, error }),
                }
            }
        }
    }
    Ok(mapped)
}

impl Mapped {
    fn add(&mut self, rule: &Rule, target: Target) {
        let is_same = |call: &&mut Call| call.mode == rule.mode && call.refresh == rule.refresh;
        match self.calls.iter_mut().find(is_same) {
            Some(call) if call.targets.contains(&target) => {}
            Some(call) => call.targets.push(target),
            None => self.calls.push(Call { targets: vec![target], mode: rule.mode, refresh: rule.refresh, key: None }),
        }
    }
}
