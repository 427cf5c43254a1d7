//! Reads of L2 for the edge: one for all requests of this isolate that need the same page. [`L2Reads`] decides; the value
//! stays one buffer of JavaScript, from which each request builds its response.
//!
//! [`L2Reads`]: crate::visit::L2Reads

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::{Context, Delay, Env};

use crate::account::Account;
use crate::edge::body::Chunk;
use crate::edge::caches::{envelope, l2};
use crate::edge::deployment::Deployment;
use crate::edge::memory;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::page::PageHead;
use crate::semantics::key::PageKey;
use crate::visit::l2_reads::SHARED;
use crate::visit::{Event, L2_PATIENCE, L2Reader, L2Result, L2Turn, L2Waiter, StoredPage};

/// A page of L2 in the memory of this isolate. Its bytes count in the account for as long as requests share it.
pub(in crate::edge) struct SharedPage {
    head: PageHead,
    body: Uint8Array,
    _room: Account,
}

impl SharedPage {
    /// Makes a page that requests share, if there is room.
    fn new(head: &PageHead, body: &Uint8Array) -> Option<Rc<Self>> {
        let room = memory::shared_page();
        room.take(body.bytes()).then(|| Rc::new(Self { head: head.clone(), body: body.clone(), _room: room }))
    }
}

/// Reads a page from L2, or takes it from another request of this isolate that reads it.
pub(in crate::edge) async fn read_shared(
    env: &Env,
    settings: &Settings,
    context: &Context,
    key: &PageKey,
) -> Result<Event<Response>, JsValue> {
    let reads = &settings.deployment.l2_reads;
    let mut waiter = L2Waiter::new(js::now());
    let reader = loop {
        let turn = reads.borrow_mut().turn(key, &mut waiter, js::now());
        match turn {
            L2Turn::Read(reader) => break reader,
            L2Turn::Wait(pause) => Delay::from(pause).await,
            L2Turn::Others(None) => return Ok(Event::OthersL2(None)),
            L2Turn::Others(Some(page)) => return stored(&page.head, &page.body).map(Some).map(Event::OthersL2),
        }
    };
    let found = read(env, settings, key).await;
    if let Some(reader) = reader {
        share(&settings.deployment, context, key, reader, found.as_ref());
    }
    Ok(Event::L2(match found {
        Some((head, body)) => Some(stored(&head, &body)?),
        None => None,
    }))
}

/// Hands the result of a read to the others.
fn share(
    deployment: &Rc<Deployment>,
    context: &Context,
    key: &PageKey,
    reader: L2Reader,
    found: Option<&(PageHead, Uint8Array)>,
) {
    let result = match found {
        None => L2Result::Nothing,
        Some((head, body)) => SharedPage::new(head, body).map_or(L2Result::Unshared, L2Result::Page),
    };
    let holds_page = matches!(result, L2Result::Page(_));
    deployment.l2_reads.borrow_mut().end(key, reader, result, js::now());
    if holds_page {
        // Nobody may come who would release it.
        let deployment = Rc::clone(deployment);
        context.wait_until(async move {
            Delay::from(SHARED).await;
            deployment.l2_reads.borrow_mut().forget_old(js::now());
        });
    }
}

/// Reads a page. An unusable value is a miss: the coordinator overwrites it. So is an unavailable one.
async fn read(env: &Env, settings: &Settings, key: &PageKey) -> Option<(PageHead, Uint8Array)> {
    let found = match l2::open(env, settings.config.l2) {
        Ok(l2) => js::within(L2_PATIENCE, l2.get(key)).await.unwrap_or_else(|| Err(hangs().into())),
        Err(error) => Err(error.into()),
    };
    found.unwrap_or_else(|error| {
        worker::console_error!("L2: {key}: {error}");
        None
    })
}

fn stored(head: &PageHead, body: &Uint8Array) -> Result<StoredPage<Response>, JsValue> {
    let body = envelope::wrap(&head.meta, &head.headers, body)?;
    Ok(StoredPage { meta: head.meta.clone(), body })
}

/// L2 has not answered in time.
fn hangs() -> l2::L2Error {
    l2::L2Error::Failed(format!("no answer within {L2_PATIENCE:?}"))
}
