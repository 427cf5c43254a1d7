//! `isr new`: writes a project, which is a Worker with the cache, and an example site if there is no site yet.

mod project;

use std::fs;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;

use serde_json::json;
use url::Url;

use self::project::{Project, Site};
use crate::args::NewArgs;
use crate::failure::{Failure, Verdict};
use crate::show::{Lines as _, Report, clean};

/// The most characters of the name of a Worker.
const MAX_NAME: usize = 50;

/// Writes a project into a folder.
pub(crate) fn create(args: &NewArgs, is_json: bool) -> Result<Report, Failure> {
    let site = site(args)?;
    let folder = &args.folder;
    if !is_free(folder)? {
        return Err(Failure::Usage(format!("{} is not empty: name a new folder", folder.display())));
    }
    let site = match site {
        Site::Example if !is_json => ask_for_site()?,
        site => site,
    };
    let absolute = std::path::absolute(folder).map_err(|error| unwritable(folder, &error))?;
    let package = args.package.clone().unwrap_or_else(|| format!("^{}", env!("CARGO_PKG_VERSION")));
    let project = Project { name: name_of(&absolute), site, package };
    let files = project.files();
    for (file, text) in &files {
        let target = folder.join(file);
        let parent = target.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        fs::write(&target, text).map_err(|error| unwritable(&target, &error))?;
    }
    let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
    let shown = clean(&folder.display().to_string());
    let mut text = format!(
        "Written to {shown}: {}\n\n  cd {:?}\n  npm install\n  npm run dev       # on http://localhost:8787; ask twice, and \
         look at X-ISR-Status\n  npm run deploy",
        names.join(", "),
        folder.display().to_string(),
    );
    if let Site::Worker(worker) = &project.site {
        text.paragraph(&format!("Locally, start {worker} with `wrangler dev` as well: the two find each other."));
    }
    Ok(Report { json: json!({ "folder": folder.display().to_string(), "files": names }), text, verdict: Verdict::Yes })
}

/// Returns the site that the arguments name.
fn site(args: &NewArgs) -> Result<Site, Failure> {
    match (&args.site, &args.origin) {
        (Some(_), Some(_)) => Err(Failure::Usage("give one of --site and --origin: there is one site".to_owned())),
        (Some(worker), None) => worker_of(worker),
        (None, Some(origin)) if is_origin(origin) => Ok(Site::Url(origin.clone())),
        (None, Some(origin)) => Err(Failure::Usage(format!(
            "--origin: {origin:?} is no URL without query, such as https://site.example.com"
        ))),
        (None, None) => Ok(Site::Example),
    }
}

fn worker_of(name: &str) -> Result<Site, Failure> {
    let is_letter = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let is_name = name.starts_with(is_letter) && name.chars().all(|char| is_letter(char) || char == '-');
    if is_name {
        Ok(Site::Worker(name.to_owned()))
    } else {
        Err(Failure::Usage(format!("--site: {name:?} is no name of a Worker")))
    }
}

/// Returns whether a text is a URL without query that can be written between quotes.
fn is_origin(text: &str) -> bool {
    let is_plain = !text.chars().any(|char| char.is_whitespace() || matches!(char, '"' | '\\' | '?' | '#' | '@'));
    is_plain && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && text.contains("://"))
}

/// Asks the one thing that can't be guessed, if there is somebody to ask.
fn ask_for_site() -> Result<Site, Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(Site::Example);
    }
    print!("Which Worker is the site? Its name, or nothing for an example site: ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "" => Ok(Site::Example),
        name => worker_of(name),
    }
}

/// Returns whether a folder is new or empty.
fn is_free(folder: &Path) -> Result<bool, Failure> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(unwritable(folder, &error)),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

/// Makes a name of a Worker of a folder's: lower-case letters, digits and hyphens, which wrangler asks for.
fn name_of(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<&str> =
        name.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(MAX_NAME).collect();
    if name.is_empty() { "isr".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn args(folder: &Path) -> NewArgs {
        NewArgs { folder: folder.to_owned(), site: None, origin: None, package: None }
    }

    /// A folder that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("isr-new-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_project_is_written_once() {
        let folder = Folder::new("once");
        let args = NewArgs { site: Some("my-site".to_owned()), ..args(&folder.0) };
        let report = create(&args, true).unwrap();
        assert_eq!(
            report.json["files"],
            json!(["package.json", ".gitignore", "gateway/index.js", "gateway/wrangler.toml"])
        );
        assert!(report.text.ends_with("Locally, start my-site with `wrangler dev` as well: the two find each other."));
        assert!(folder.0.join("gateway/wrangler.toml").is_file());
        assert!(create(&args, true).unwrap_err().to_string().contains("not empty"));
    }

    #[test]
    fn what_can_not_be_done_is_said_and_nothing_is_written() {
        let folder = Folder::new("nothing");
        let text = |text: &str| Some(text.to_owned());
        for (site, origin, part) in [
            (text("a\"b"), None, "no name of a Worker"),
            (text("-a"), None, "no name of a Worker"),
            (None, text("site.example.com"), "no URL"),
            (None, text("https://e.com/?a"), "no URL"),
            (None, text("https://e.com/\"x"), "no URL"),
            (None, text("https:e.com"), "no URL"),
            (text("a"), text("https://e.com"), "one of"),
        ] {
            let failure = create(&NewArgs { site, origin, ..args(&folder.0) }, true).unwrap_err();
            assert!(failure.code() == 2 && failure.to_string().contains(part), "{failure}");
        }
        assert!(!folder.0.exists());
    }

    #[test]
    fn the_name_of_the_worker_is_that_of_the_folder() {
        for (folder, name) in [
            ("/a/My pages", "my-pages"),
            ("/a/__x__", "x"),
            ("/", "isr"),
            ("/a/ü", "isr"),
            (&format!("/{}", "n".repeat(60)), &"n".repeat(50)),
        ] {
            assert_eq!(name_of(Path::new(folder)), name);
        }
    }
}
