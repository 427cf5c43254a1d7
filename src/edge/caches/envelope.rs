//! A page as a [`Response`]: its form between objects and in L1.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Response, ResponseInit};

use crate::edge::platform::js;
use crate::page::PageMeta;
use crate::protocol::META_HEADER;
use crate::semantics::headers::HeaderList;

/// Copies JavaScript headers into a list. `Set-Cookie` is the one name whose lines the platform does not join.
pub(in crate::edge) fn header_list(headers: &Headers) -> HeaderList {
    let mut list = HeaderList::default();
    for entry in headers.entries().into_iter().flatten() {
        let pair: js_sys::Array = entry.unchecked_into();
        if let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) {
            list.push(name.to_ascii_lowercase(), value);
        }
    }
    list
}

/// Makes JavaScript headers of a list. Fails if a name or a value is not valid in HTTP.
pub(in crate::edge) fn js_headers(list: &HeaderList) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in list.iter() {
        headers.append(name, value)?;
    }
    Ok(headers)
}

/// Builds a response around a JavaScript body: a buffer, a stream, or nothing.
pub(in crate::edge) fn response(
    status: u16,
    headers: &Headers,
    body: Option<&js_sys::Object>,
) -> Result<Response, JsValue> {
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(headers);
    // JavaScript has one constructor for every kind of body; this binding of it takes any object.
    Response::new_with_opt_buffer_source_and_init(body, &init)
}

/// Wraps a page. The status is always 200, because the page's own must not steer the Cache API.
pub(in crate::edge) fn wrap(meta: &PageMeta, headers: &HeaderList, body: &js_sys::Object) -> Result<Response, JsValue> {
    let headers = js_headers(headers)?;
    headers.set(META_HEADER, &meta.to_header_value())?;
    response(200, &headers, Some(body))
}

/// Reads the metadata of a wrapped page; `None` if the response is not one.
pub(in crate::edge) fn meta(response: &Response) -> Option<PageMeta> {
    PageMeta::from_header_value(&response.headers().get(META_HEADER).ok()??).ok()
}

/// Cancels the body of a response that is not needed, so that the sender can stop.
pub(in crate::edge) fn discard(response: &Response) {
    if let Some(body) = response.body() {
        js::forget(body.cancel());
    }
}

/// Builds a small JSON response of the gateway itself.
pub(in crate::edge) fn json(status: u16, body: &serde_json::Value) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    headers.set("cache-control", "no-store")?;
    let body = js_sys::Uint8Array::from(body.to_string().as_bytes());
    response(status, &headers, Some(&body))
}
