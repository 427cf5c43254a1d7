//! A call and its answer, as values.

use std::fmt::Display;

use serde_json::Value;

use crate::failure::Failure;

/// What the deployment answers at a path at which it has nothing. `src/edge/admin/` writes it.
const NOTHING_HERE: &str = "there is nothing here";

/// The method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// It changes nothing.
    Get,
    /// It has a body.
    Post,
}

/// A call to a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// The path.
    pub(crate) path: String,
    /// The query, not yet encoded.
    pub(crate) query: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) body: Option<Value>,
}

impl Call {
    /// Makes a call that asks.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::Get, path: path.into(), query: Vec::new(), body: None }
    }

    /// Makes a call that changes something.
    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::Post, path: path.into(), query: Vec::new(), body: Some(body) }
    }

    /// Adds a parameter to the query.
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Adds a parameter to the query, if there is a value.
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) json: Value,
}

impl Answer {
    /// Returns the body of a successful answer, or the failure that the answer reports.
    pub(crate) fn success(self, call: &Call) -> Result<Value, Failure> {
        let Self { status, json } = self;
        let error = &json["error"];
        let message = match (error["message"].as_str(), error["problems"].as_array()) {
            (Some(message), _) => message.to_owned(),
            (None, Some(problems)) => problems.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
            (None, None) => "no message".to_owned(),
        };
        match status {
            200 => Ok(json),
            400 | 411 | 413 => Err(Failure::Refused(message)),
            401 => Err(Failure::Unauthorized),
            404 if error["code"] == "not_found" && message != NOTHING_HERE => Err(Failure::NotFound(message)),
            404 | 405 => Err(Failure::NoSuchCall { path: call.path.clone() }),
            _ => Err(Failure::Deployment { status, message }),
        }
    }
}

/// Performs calls.
pub(crate) trait Service {
    /// Performs a call. Any response with a JSON body is an answer.
    fn call(&self, call: &Call) -> Result<Answer, Failure>;

    /// Performs a call, and returns the body of a successful answer.
    fn ask(&self, call: &Call) -> Result<Value, Failure> {
        self.call(call)?.success(call)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;

    /// A deployment with prepared answers, in order.
    #[derive(Default)]
    pub(crate) struct Prepared {
        answers: RefCell<Vec<(u16, Value)>>,
        calls: RefCell<Vec<Call>>,
    }

    impl Prepared {
        pub(crate) fn new(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
            let mut answers: Vec<_> = answers.into_iter().collect();
            answers.reverse();
            Self { answers: RefCell::new(answers), calls: RefCell::default() }
        }

        /// Returns the calls that were made, as method, path, query and body.
        pub(crate) fn calls(&self) -> Vec<String> {
            let written = |call: &Call| {
                let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let body = call.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
                format!("{:?} {}?{}{body}", call.method, call.path, query.join("&"))
            };
            self.calls.borrow().iter().map(written).collect()
        }
    }

    impl Service for Prepared {
        fn call(&self, call: &Call) -> Result<Answer, Failure> {
            self.calls.borrow_mut().push(call.clone());
            let (status, json) = self.answers.borrow_mut().pop().expect("an answer is prepared");
            Ok(Answer { status, json })
        }
    }

    #[test]
    fn each_error_of_a_deployment_has_its_exit_code() {
        let error = |code: &str, message: &str| json!({ "error": { "code": code, "message": message } });
        for (status, body, code, part) in [
            (400, error("invalid_argument", "give one of"), 2, "give one of"),
            (401, error("unauthorized", "send the admin token"), 3, "wrangler secret put"),
            (404, error("not_found", "no invalidation 7 is known"), 1, "no invalidation 7"),
            (404, error("not_found", NOTHING_HERE), 5, "/__isr/inspect"),
            (404, json!({}), 5, "/__isr/inspect"),
            (405, error("method_not_allowed", "use GET"), 5, "/__isr/inspect"),
            (500, json!({ "error": { "problems": ["a: b", "c: d"] } }), 5, "a: b\nc: d"),
            (503, error("unavailable", "an object could not be reached"), 5, "503: an object"),
        ] {
            let call = Call::get("/__isr/inspect");
            let failure = Prepared::new([(status, body)]).ask(&call).unwrap_err();
            assert_eq!(failure.code(), code, "{failure}");
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }
}
