//! The posts, in a Durable Object: the very next render sees an edit.

use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Method, Request, Response, Result, State, Stub, durable_object, wasm_bindgen};

/// A post of the blog.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

const SEED: [[&str; 3]; 3] = [
    ["hello-world", "Hello, world", "The first post. It is rendered once, and then served from the cache."],
    ["getting-started", "Getting started", "Edit a post, and its page changes at once; the others stay as they are."],
    ["third-post", "A third post", "There are enough posts now to see that one of them can change alone."],
];

/// Stores the posts. Bound as `POSTS`.
#[durable_object]
pub struct PostStore {
    state: State,
}

impl DurableObject for PostStore {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    /// `GET /` lists the posts; `PUT /` changes the one in the body, and responds with a 404 if it does not exist.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let mut posts = self.posts().await?;
        if request.method() != Method::Put {
            return Response::from_json(&posts);
        }
        let edited: Post = request.json().await?;
        let Some(post) = posts.iter_mut().find(|post| post.slug == edited.slug) else {
            return Response::error("there is no such post", 404);
        };
        *post = edited;
        self.state.storage().put("posts", &posts).await?;
        Response::empty()
    }
}

impl PostStore {
    async fn posts(&self) -> Result<Vec<Post>> {
        let seed = || SEED.map(|parts| parts.map(str::to_owned)).map(|[slug, title, text]| Post { slug, title, text });
        Ok(self.state.storage().get("posts").await?.unwrap_or_else(|| seed().into()))
    }
}

/// Lists the posts.
pub(crate) async fn list(env: &Env) -> Result<Vec<Post>> {
    store(env)?.fetch_with_str("https://posts/").await?.json().await
}

/// Changes a post. Returns whether it exists.
pub(crate) async fn edit(env: &Env, post: &Post) -> Result<bool> {
    let mut init = worker::RequestInit::new();
    init.with_method(Method::Put).with_body(Some(wasm_bindgen::JsValue::from_str(&serde_json::to_string(post)?)));
    let response = store(env)?.fetch_with_request(Request::new_with_init("https://posts/", &init)?).await?;
    Ok(response.status_code() == 200)
}

fn store(env: &Env) -> Result<Stub> {
    env.durable_object("POSTS")?.get_by_name("posts")
}
