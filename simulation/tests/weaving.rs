//! Tests how patches are woven into sources.

#[path = "../build/patch.rs"]
#[allow(dead_code, reason = "the build reads all of a patch")]
mod patch;
#[path = "../build/weave.rs"]
mod weave;

use self::patch::Patch;
use self::weave::weave;

const SOURCE: &str = "\
impl Breaker {
    /// Tells when it opens.
    pub(crate) fn opens(
        &self,
        now: u64,
    ) -> bool {
        let until = self.until;
        now > until
    }

    fn until(&self) -> u64 {
        self.until
    }
}
";

fn patch(fault: &str, hunk: &str) -> Patch {
    Patch::parse(fault, &format!("A mistake.\nBreaks promise 8.\n\n--- src/breaker.rs\n{hunk}"))
        .expect("the hunk is well-formed")
}

fn woven(patches: &[Patch]) -> Result<String, Vec<String>> {
    let hunks: Vec<_> =
        patches.iter().flat_map(|patch| patch.hunks.iter().map(|hunk| (patch.fault.as_str(), hunk))).collect();
    weave(SOURCE, &hunks)
}

#[test]
fn a_function_gets_one_body_for_each_fault() {
    let patches = [
        patch("Always", "-now > until\n+true\n }\n"),
        patch("Never", " let until = self.until;\n-now > until\n+false\n"),
    ];
    let expected = "\
    ) -> bool {
if crate::fault::on(crate::fault::Fault::Always) { // woven: faulty
        let until = self.until;
true
} else if crate::fault::on(crate::fault::Fault::Never) { // woven: faulty
        let until = self.until;
false
} else { // woven: shipped
        let until = self.until;
        now > until
} // woven: end
    }
";
    let woven = woven(&patches).unwrap();
    assert!(woven.contains(expected), "{woven}");
}

#[test]
fn without_patches_nothing_is_changed() {
    assert_eq!(woven(&[]).unwrap(), SOURCE);
}

#[test]
fn a_hunk_must_fit_exactly_once() {
    let problem = |hunk| woven(&[patch("Fault", hunk)]).unwrap_err().join("\n");
    assert_eq!(
        problem("-now >= until\n"),
        "faults/Fault.patch: these lines are not in src/breaker.rs:\n    now >= until"
    );
    assert_eq!(problem("-}\n"), "faults/Fault.patch: these lines are 3 times in src/breaker.rs:\n    }");
    assert_eq!(
        problem("+struct Fuse;\n impl Breaker {\n"),
        "faults/Fault.patch: these lines are not in the body of one function of src/breaker.rs:\n    impl Breaker {"
    );
}

#[test]
fn a_patch_says_what_it_is_about() {
    let problem = |text| Patch::parse("Fault", text).unwrap_err();
    assert!(problem("A mistake.\n").contains("the second not"));
    assert!(problem("A mistake.\nBreaks a promise.\n").contains("the second line is not"));
    assert!(problem("A mistake.\nBreaks promise 8.\n").contains("neither hunks nor"));
    assert!(problem("A mistake.\nBreaks promise 8.\n--- src/a.rs\n+new\n").contains("nothing of where"));
    assert!(problem("A mistake.\nBreaks promise 8.\n--- src/a.rs\n a\n").contains("changes nothing"));
    assert!(problem("A mistake.\nBreaks promise 8.\n--- src/a.rs\na\n").contains("starts with neither"));
    assert!(Patch::parse("no-name", "A mistake.\nBreaks promise 8.\n").is_err());
}
