//! Performs calls over HTTP.

use std::io;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use super::{Answer, Call, Method, Service, Site, Token};
use crate::failure::Failure;

/// Time allowed for a call. To count the pages of a large coordinator takes seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Time allowed to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of a response. A list of 1,000 pages with long tags fits.
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// A client of one deployment.
pub(crate) struct Client {
    agent: Agent,
    site: Site,
    token: Token,
}

impl Client {
    /// Makes a client. It does not connect yet.
    pub(crate) fn new(site: Site, token: Token) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // The token is for this site only.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(CALL_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("isr/", env!("CARGO_PKG_VERSION")));
        if site.is_local() {
            config = config.proxy(None);
        }
        Self { agent: config.build().into(), site, token }
    }

    fn send(&self, call: &Call) -> Result<Response<Body>, ureq::Error> {
        let url = self.site.own(&call.path, &call.query);
        let authorization = self.token.authorization();
        match call.method {
            Method::Get => self.agent.get(url.as_str()).header("authorization", authorization).call(),
            Method::Post => {
                let body = call.body.as_ref().map(ToString::to_string).unwrap_or_default();
                let request = self.agent.post(url.as_str()).header("authorization", authorization);
                request.header("content-type", "application/json").send(body)
            }
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let cause = match error {
            ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "the connection is refused".to_owned()
            }
            other => other.to_string(),
        };
        Failure::Unreachable { url: self.site.to_string(), cause }
    }
}

impl Service for Client {
    fn call(&self, call: &Call) -> Result<Answer, Failure> {
        let mut response = self.send(call).map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            let to = response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or("another URL");
            return Err(Failure::Deployment {
                status,
                message: format!(
                    "it redirects to {to}. Give the URL of the deployment itself: the token is sent nowhere else."
                ),
            });
        }
        let body = response.body_mut().with_config().limit(MAX_BODY_BYTES).read_to_string();
        let body = body.map_err(|error| self.unreachable(&error))?;
        match serde_json::from_str(&body) {
            Ok(json) => Ok(Answer { status, json }),
            Err(_) if status == 401 => Err(Failure::Unauthorized),
            Err(_) if status < 500 => Err(Failure::Misunderstood(format!(
                "{} answers {} with status {status} and no JSON. Is a gateway of cloudflare-isr at this URL?",
                self.site, call.path
            ))),
            Err(_) => Err(Failure::Deployment { status, message: "no message".to_owned() }),
        }
    }
}
