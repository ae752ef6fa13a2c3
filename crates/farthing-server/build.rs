//! Puts the dashboard into the program: every file that `tools/web.sh` left in `dashboard/`, with
//! its compressed forms. Without them the program has only its plain page. Beside it, the schemas
//! of what the API writes and reads.

#![allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

#[path = "build/schemas.rs"]
mod schemas;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var(name).map_err(io::Error::other);
    let home = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    fs::write(out.join("schemas.json"), schemas(&home)?)?;
    let folder = home.join("dashboard");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    under(&folder, &mut files)?;
    files.sort();
    let mut code = String::from("&[\n");
    for file in &files {
        let Some(kind) = kind(file) else { continue };
        let path = file.strip_prefix(&folder).map_err(io::Error::other)?;
        let form = |ending: &str| {
            let file = PathBuf::from(format!("{}{ending}", file.display()));
            let bytes = format!("Some(include_bytes!({:?}))", file.display().to_string());
            if file.is_file() { bytes } else { "None".to_owned() }
        };
        let _ = writeln!(
            code,
            "    File {{ path: \"/{}\", kind: {kind:?}, plain: include_bytes!({:?}), gzip: {}, \
             brotli: {} }},",
            path.display(),
            file.display().to_string(),
            form(".gz"),
            form(".br"),
        );
    }
    code.push_str("]\n");
    fs::write(out.join("dashboard.rs"), code)
}

/// The schemas of all wire types, as one object of JSON.
fn schemas(home: &Path) -> io::Result<String> {
    let source = home.join("src");
    println!("cargo:rerun-if-changed={}", source.join("wire").display());
    println!("cargo:rerun-if-changed={}", source.join("http").display());
    println!("cargo:rerun-if-changed={}", home.join("build.rs").display());
    println!("cargo:rerun-if-changed={}", home.join("build").display());
    let mut files = Vec::new();
    under(&source.join("wire"), &mut files)?;
    under(&source.join("http"), &mut files)?;
    let mut found = BTreeMap::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "rs")) {
        schemas::of(file, &mut found)?;
    }
    let all: Vec<String> =
        found.iter().map(|(name, schema)| format!("{}:{schema}", schemas::string(name))).collect();
    Ok(format!("{{{}}}\n", all.join(",\n")))
}

fn under(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { under(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// The content type of a file that is served; `None` for compressed forms and for what is not.
fn kind(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => return None,
    })
}
