//! `alerts` of a policy: when people are told, and where.

use super::fault::Report;
use super::fields::{Fields, items};
use super::scalar::Parsed;
use super::{scalar, shape};
use crate::alert::{Channel, Kind, Mail, MailTls, QuietHours, Secret, Settings};
use crate::yaml::{Node, Value};
use farthing_edge::Severity;
use jiff::SignedDuration;
use std::path::PathBuf;

/// Channels, at most.
const CHANNELS_MAX: usize = 16;
/// Told again after this, where nothing is said.
const REPEAT: SignedDuration = SignedDuration::from_hours(24);

/// Reads the section; `None` only where faults were reported.
pub(super) fn alerts(node: &Node, report: &mut Report) -> Option<Settings> {
    let fields = Fields::open(node, "spec.alerts", &shape::ALERTS, report)?;
    let repeat = fields.read("repeat", scalar::some_duration, report).unwrap_or(REPEAT);
    let quiet = fields.get("quiet").and_then(|node| quiet(node, report));
    let mut channels: Vec<Channel> = Vec::new();
    if let Some(node) = fields.get("channels") {
        for item in items(node, "channels", report) {
            let Some(channel) = channel(item, report) else { continue };
            if channels.iter().any(|other| other.name == channel.name) {
                let what = format!("there is already a channel `{}`", channel.name);
                report.fault(item.spot, what);
            }
            channels.push(channel);
        }
        if channels.len() > CHANNELS_MAX {
            report.fault(node.spot, format!("there are more than {CHANNELS_MAX} channels"));
        }
    }
    Some(Settings { repeat, quiet, channels })
}

fn quiet(node: &Node, report: &mut Report) -> Option<QuietHours> {
    let fields = Fields::open(node, "alerts.quiet", &shape::QUIET, report)?;
    let from_s = fields.read("from", clock, report);
    let to_s = fields.read("to", clock, report);
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let unless = fields.choice("unless", &severities, report).unwrap_or(Severity::Critical);
    Some(QuietHours { from_s: from_s?, to_s: to_s?, unless })
}

/// A time of the day: `22:00`. In seconds after midnight.
fn clock(text: &str) -> Parsed<i64> {
    let wrong = || format!("`{text}` is not a time of the day such as \"22:00\"");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, below: i64| {
        let number = text.parse::<i64>().ok().filter(|_| text.len() == 2);
        number.filter(|number| (0..below).contains(number))
    };
    let seconds = number(hour, 24).zip(number(minute, 60));
    seconds.map(|(hour, minute)| hour * 3_600 + minute * 60).ok_or_else(wrong)
}

#[derive(Clone, Copy)]
enum Type {
    Webhook,
    Slack,
    Alertmanager,
    Email,
}

fn channel(node: &Node, report: &mut Report) -> Option<Channel> {
    let fields = Fields::open(node, "alerts.channels", &shape::CHANNEL, report)?;
    let types = [
        ("webhook", Type::Webhook),
        ("slack", Type::Slack),
        ("alertmanager", Type::Alertmanager),
        ("email", Type::Email),
    ];
    let given = fields.choice("type", &types, report)?;
    let word = |text: &str| match text {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    };
    let usual = types.iter().zip(0..).find(|(_, index)| *index == given as usize);
    let usual = usual.map_or("", |((name, _), _)| name);
    let name = fields.read("name", word, report).unwrap_or_else(|| usual.to_owned());
    let before = report.faults.len();
    let belongs: &[&str] = match given {
        Type::Webhook => &["type", "name", "url", "secret"],
        Type::Slack | Type::Alertmanager => &["type", "name", "url"],
        Type::Email => &["type", "name", "server", "tls", "user", "password", "from", "to"],
    };
    for field in shape::CHANNEL.fields.iter().filter(|field| !belongs.contains(&field.name)) {
        if let Some(node) = fields.get(field.name) {
            report.fault(node.spot, format!("`{}` does not belong to `{usual}`", field.name));
        }
    }
    let mut needs = |name: &str| {
        let found = fields.get(name);
        if found.is_none() {
            report.fault(node.spot, format!("`{usual}` needs `{name}`"));
        }
        found
    };
    let kind = if let Type::Email = given {
        let (server, from, to) = (needs("server"), needs("from"), needs("to"));
        let (server, from, to) = (server?, from?, to?);
        Kind::Email(Box::new(mail(fields, (server, from, to), report)?))
    } else {
        let url = needs("url");
        let url = secret(url?, "url", report)?;
        match given {
            Type::Slack => Kind::Slack { url },
            Type::Alertmanager => Kind::Alertmanager { url },
            Type::Webhook | Type::Email => {
                let found = fields.get("secret");
                let secret = found.and_then(|node| hidden(node, "secret", report));
                Kind::Webhook { url, secret }
            }
        }
    };
    (report.faults.len() == before).then_some(Channel { name, kind })
}

fn mail(
    fields: Fields<'_>,
    (server, from, to): (&Node, &Node, &Node),
    report: &mut Report,
) -> Option<Mail> {
    let host = |text: &str| {
        let wrong = || format!("`{text}` is not host:port, such as smtp.example.org:587");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse::<u16>().map_err(|_| wrong())?;
        if host.is_empty() { Err(wrong()) } else { Ok((host.to_owned(), port)) }
    };
    let server = super::fields::read(server, "server", host, report);
    let modes =
        [("starttls", MailTls::StartTls), ("implicit", MailTls::Implicit), ("none", MailTls::None)];
    let tls = fields.choice("tls", &modes, report).unwrap_or(MailTls::StartTls);
    let address = |text: &str| match text.split_once('@') {
        Some((who, host)) if !who.is_empty() && !host.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not an e-mail address")),
    };
    let from = super::fields::read(from, "from", address, report);
    let mut all = Vec::new();
    let list = match &to.value {
        Value::Scalar(_) => vec![to],
        _ => items(to, "to", report).iter().collect(),
    };
    for node in list {
        all.extend(super::fields::read(node, "to", address, report));
    }
    let user = fields.read("user", |text: &str| Ok(text.to_owned()), report);
    let password = fields.get("password").and_then(|node| hidden(node, "password", report));
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        _ => {
            report.fault(fields.spot, "`user` and `password` belong together");
            None
        }
    };
    Some(Mail { server: server?, tls, login, from: from?, to: all })
}

/// An address: as it is, or where it is found.
fn secret(node: &Node, name: &str, report: &mut Report) -> Option<Secret> {
    if let Some(text) = node.text() {
        return Some(Secret::Text(text.trim().to_owned()));
    }
    hidden(node, name, report)
}

/// Where something is that is in no manifest.
pub(super) fn hidden(node: &Node, name: &str, report: &mut Report) -> Option<Secret> {
    if node.text().is_some() {
        let what = format!("`{name}` is not written here: say {{file: PATH}} or {{env: NAME}}");
        report.fault(node.spot, what);
        return None;
    }
    let fields = Fields::open(node, name, &shape::SECRET, report)?;
    let text = |text: &str| Ok(text.to_owned());
    let file = fields.read("file", text, report).map(|path| Secret::File(PathBuf::from(path)));
    let env = fields.read("env", text, report).map(Secret::Env);
    match (file, env) {
        (Some(one), None) | (None, Some(one)) => Some(one),
        _ => {
            report.fault(node.spot, format!("`{name}` needs one of `file` and `env`"));
            None
        }
    }
}
