//! JSON Schemas of the wire types, from their source: what serde writes, and what the comments say.
//!
//! Reads `struct`s and untagged `enum`s with the attributes that this crate uses; anything else is
//! an error of the build, so that a schema never says less than the type.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};
use syn::{Attribute, Fields, GenericArgument, Item, Meta, PathArguments, Type};

/// Types that write themselves: a field that becomes further keys.
const KEYS_OF_THEIR_OWN: [(&str, &str); 1] = [("CostRowJson", "keys")];

/// Name -> schema as JSON, of the types of a file that are written or read.
pub(crate) fn of(file: &Path, schemas: &mut BTreeMap<String, String>) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let parsed = syn::parse_file(&text).map_err(io::Error::other)?;
    for item in parsed.items {
        match item {
            Item::Struct(item) if is_wire(&item.attrs, &item.ident) && plain(&item.generics) => {
                let name = item.ident.to_string();
                let schema = object(&name, &docs(&item.attrs), &item.fields)?;
                if schemas.insert(name.clone(), schema).is_some() {
                    return Err(unknown(&name, "there are two of this name"));
                }
            }
            Item::Enum(item) if is_wire(&item.attrs, &item.ident) => {
                let name = item.ident.to_string();
                let variants = item.variants.iter();
                let variants: Vec<String> = variants
                    .map(|variant| object(&name, &docs(&variant.attrs), &variant.fields))
                    .collect::<io::Result<_>>()?;
                let docs = string(&docs(&item.attrs));
                let any = variants.join(",");
                schemas.insert(name, format!("{{\"description\":{docs},\"anyOf\":[{any}]}}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A type of the wire is one that serde writes or reads, or that is called so.
fn is_wire(attributes: &[Attribute], name: &syn::Ident) -> bool {
    let derives = attributes.iter().filter(|one| one.path().is_ident("derive"));
    let mut lists = derives.filter_map(|one| one.meta.require_list().ok());
    let derived = lists.any(|list| list.tokens.to_string().contains("erialize"));
    derived || KEYS_OF_THEIR_OWN.iter().any(|(own, _)| name == own)
}

/// Whether it has no parameters but lifetimes.
fn plain(generics: &syn::Generics) -> bool {
    generics.type_params().next().is_none()
}

fn object(owner: &str, docs: &str, fields: &Fields) -> io::Result<String> {
    let (mut properties, mut required, mut merged) = (Vec::new(), Vec::new(), Vec::new());
    let mut more = None;
    for field in fields {
        let Some(ident) = &field.ident else { return Err(unknown(owner, "a tuple")) };
        let name = ident.to_string().trim_start_matches("r#").to_owned();
        if KEYS_OF_THEIR_OWN.contains(&(owner, name.as_str())) {
            more = Some("{\"type\":\"string\"}".to_owned());
            continue;
        }
        let serde = Serde::of(owner, &field.attrs)?;
        if serde.skip {
            continue;
        }
        let schema = schema(owner, &field.ty)?;
        if serde.flatten {
            match schema.strip_prefix("{\"type\":\"object\",\"additionalProperties\":") {
                Some(values) => more = values.strip_suffix('}').map(str::to_owned),
                None => merged.push(schema),
            }
            continue;
        }
        let name = serde.rename.unwrap_or(name);
        if !serde.optional {
            required.push(string(&name));
        }
        let words = self::docs(&field.attrs);
        properties.push(format!("{}:{}", string(&name), described(&schema, &words)));
    }
    let mut text = String::from("{\"type\":\"object\"");
    if !docs.is_empty() {
        let _ = write!(text, ",\"description\":{}", string(docs));
    }
    let _ = write!(text, ",\"properties\":{{{}}}", properties.join(","));
    if !required.is_empty() {
        let _ = write!(text, ",\"required\":[{}]", required.join(","));
    }
    if let Some(more) = more {
        let _ = write!(text, ",\"additionalProperties\":{more}");
    }
    if !merged.is_empty() {
        let _ = write!(text, ",\"allOf\":[{}]", merged.join(","));
    }
    text.push('}');
    Ok(text)
}

/// What serde is told of a field.
#[derive(Default)]
struct Serde {
    rename: Option<String>,
    flatten: bool,
    skip: bool,
    optional: bool,
}

impl Serde {
    fn of(owner: &str, attributes: &[Attribute]) -> io::Result<Self> {
        let mut told = Self::default();
        for attribute in attributes.iter().filter(|one| one.path().is_ident("serde")) {
            let read = attribute.parse_nested_meta(|meta| {
                let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match name.as_str() {
                    "rename" => {
                        told.rename = Some(meta.value()?.parse::<syn::LitStr>()?.value());
                    }
                    "flatten" => told.flatten = true,
                    "skip" => told.skip = true,
                    "skip_serializing_if" => {
                        meta.value()?.parse::<syn::LitStr>()?;
                        told.optional = true;
                    }
                    "default" => told.optional = true,
                    other => return Err(meta.error(format!("`{other}` is not understood"))),
                }
                Ok(())
            });
            read.map_err(|error| unknown(owner, &error.to_string()))?;
        }
        Ok(told)
    }
}

/// The schema of a type.
fn schema(owner: &str, of: &Type) -> io::Result<String> {
    let path = match of {
        Type::Reference(reference) => return schema(owner, &reference.elem),
        Type::Slice(slice) => return list(owner, &slice.elem),
        Type::Tuple(_) => return Ok("{\"type\":\"array\"}".to_owned()),
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let Some(last) = path else { return Err(unknown(owner, "a type")) };
    let arguments: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(list) => {
            let types = list.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(inner) => Some(inner),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    };
    Ok(match (last.ident.to_string().as_str(), arguments.as_slice()) {
        ("String" | "str", _) => "{\"type\":\"string\"}".to_owned(),
        ("bool", _) => "{\"type\":\"boolean\"}".to_owned(),
        ("u8" | "u16" | "u32" | "u64" | "usize", _) => {
            "{\"type\":\"integer\",\"minimum\":0}".to_owned()
        }
        ("i32" | "i64", _) => "{\"type\":\"integer\"}".to_owned(),
        ("f64", _) => "{\"type\":\"number\"}".to_owned(),
        // As it was sealed in the journal: any JSON.
        ("RawValue" | "Value" | "Body" | "StepRecord" | "PlanRecord" | "BindingRecord", _) => {
            "{}".to_owned()
        }
        ("Option", [inner]) => optional(&schema(owner, inner)?),
        ("Vec", [inner]) => list(owner, inner)?,
        ("Box", [inner]) => schema(owner, inner)?,
        ("BTreeMap", [_, values]) => {
            let values = schema(owner, values)?;
            format!("{{\"type\":\"object\",\"additionalProperties\":{values}}}")
        }
        ("Self", _) => format!("{{\"$ref\":\"#/components/schemas/{owner}\"}}"),
        (name, _) => format!("{{\"$ref\":\"#/components/schemas/{name}\"}}"),
    })
}

fn list(owner: &str, inner: &Type) -> io::Result<String> {
    Ok(format!("{{\"type\":\"array\",\"items\":{}}}", schema(owner, inner)?))
}

/// The same, or `null`.
fn optional(schema: &str) -> String {
    if schema == "{}" {
        return schema.to_owned();
    }
    format!("{{\"anyOf\":[{schema},{{\"type\":\"null\"}}]}}")
}

/// A schema with words beside it.
fn described(schema: &str, words: &str) -> String {
    if words.is_empty() {
        return schema.to_owned();
    }
    let inner = schema.strip_suffix('}').unwrap_or(schema);
    let comma = if inner == "{" { "" } else { "," };
    format!("{inner}{comma}\"description\":{}}}", string(words))
}

/// The first paragraph of the comments.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|one| match &one.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
    lines.iter().take_while(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

/// A string of JSON.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

fn unknown(owner: &str, what: &str) -> io::Error {
    io::Error::other(format!("{owner}: the schema of its JSON cannot be told: {what}"))
}
