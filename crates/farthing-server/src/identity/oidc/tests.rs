//! A provider of a few lines that signs what it is told, and everything that must not get in.

use super::provider::Web;
use super::*;
use crate::identity::Role;
use crate::identity::token::words;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use farthing_edge::{EdgeError, Reply};
use farthing_model::TeamId;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const ISSUER: &str = "http://127.0.0.1:9/realm";

pub(super) fn settings() -> OidcSettings {
    let grant = |group: &str, role, teams: &[&str]| Grant {
        group: group.to_owned(),
        role,
        teams: (!teams.is_empty())
            .then(|| teams.iter().map(|team| TeamId::new(team).unwrap()).collect()),
    };
    OidcSettings {
        issuer: ISSUER.to_owned(),
        client: "farthing".to_owned(),
        secret: Some("a secret: +/".to_owned()),
        url: "http://127.0.0.1:4040".to_owned(),
        audiences: vec!["urn:farthing".to_owned()],
        scopes: vec!["profile".to_owned()],
        groups: "realm.groups".to_owned(),
        name: "preferred_username".to_owned(),
        grants: vec![
            grant("everybody", Role::Viewer, &[]),
            grant("ml", Role::Team, &["research"]),
            grant("cv", Role::Team, &["vision"]),
            grant("ml-leads", Role::Operator, &["research"]),
            grant("platform", Role::Admin, &[]),
        ],
    }
}

/// A key to sign with.
enum Signing {
    Ed(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Signing {
    fn ed() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn p256() -> Self {
        let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(how, key.as_ref(), &random).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed(key) => key.public_key().as_ref().to_vec(),
            Self::P256(key) => key.public_key().as_ref().to_vec(),
        }
    }

    fn jwk(&self, id: &str) -> Value {
        let public = self.public();
        match self {
            Self::Ed(_) => json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig",
                "x": words(&public) }),
            Self::P256(_) => json!({ "kty": "EC", "crv": "P-256", "kid": id,
                "x": words(&public[1..33]), "y": words(&public[33..]) }),
        }
    }

    fn token(&self, head: &Value, claims: &Value) -> String {
        let head = words(head.to_string().as_bytes());
        let text = format!("{head}.{}", words(claims.to_string().as_bytes()));
        let signed = match self {
            Self::Ed(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Self::P256(key) => {
                key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{text}.{}", words(&signed))
    }
}

/// What the provider answers, by the end of the address.
#[derive(Default)]
struct Says {
    keys: Mutex<Vec<Value>>,
    issuer: Mutex<Option<String>>,
    token: Mutex<Value>,
    userinfo: Mutex<Value>,
    asked: AtomicUsize,
    last: Mutex<Option<Question>>,
    down: Mutex<bool>,
}

struct Fake(Arc<Says>);

impl Fetch for Fake {
    fn fetch(&self, question: &Question) -> Result<Reply, EdgeError> {
        let says = &self.0;
        if *says.down.lock().unwrap() {
            return Err(EdgeError::new(farthing_edge::Class::Transient, "no connection"));
        }
        let issuer = says.issuer.lock().unwrap().clone().unwrap_or_else(|| ISSUER.to_owned());
        let end = question.url.strip_prefix(ISSUER).unwrap();
        let body = match end {
            "/.well-known/openid-configuration" => {
                says.asked.fetch_add(1, Ordering::SeqCst);
                json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{ISSUER}/auth"),
                    "token_endpoint": format!("{ISSUER}/token"),
                    "userinfo_endpoint": format!("{ISSUER}/me"),
                    "jwks_uri": format!("{ISSUER}/keys"),
                })
            }
            "/keys" => json!({ "keys": *says.keys.lock().unwrap() }),
            "/token" => says.token.lock().unwrap().clone(),
            "/me" => says.userinfo.lock().unwrap().clone(),
            other => panic!("{other}"),
        };
        *says.last.lock().unwrap() = Some(question.clone());
        let status = if body.is_null() { 400 } else { 200 };
        Ok(Reply { status, body: body.to_string().into_bytes() })
    }
}

fn provider(keys: &[Value]) -> (Oidc, Arc<Says>) {
    let says = Arc::new(Says::default());
    *says.keys.lock().unwrap() = keys.to_vec();
    let web: Web = Box::new(Fake(Arc::clone(&says)));
    (Oidc::start(settings(), web).unwrap(), says)
}

/// Waits for something that is asked of another thread.
fn now<T>(asked: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(asked)
}

fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "farthing", "sub": "u-1", "exp": seconds() + 300,
        "iat": seconds(), "preferred_username": "anna", "realm": { "groups": ["ml", "cv"] },
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut claims = claims();
    for (name, value) in changes {
        claims[name] = value.clone();
    }
    claims
}

fn no_grant(who: &str) -> Refused {
    Refused::NoGrant { who: who.to_owned() }
}

fn ed(id: &str) -> Value {
    json!({ "alg": "EdDSA", "kid": id })
}

#[test]
fn a_token_of_the_provider_is_who_its_groups_say() {
    let (key, curve) = (Signing::ed(), Signing::p256());
    let (oidc, _) = provider(&[key.jwk("one"), curve.jwk("two")]);
    let of = |token: &str| now(oidc.of_token(token));
    let who = of(&key.token(&ed("one"), &claims())).unwrap();
    assert_eq!((who.name.as_str(), who.role), ("anna", Role::Team));
    let Way::Oidc(groups) = &who.way else { panic!("{who:?}") };
    assert_eq!(who.teams.as_ref().unwrap().len(), 2);
    // With other grants he is not any more what he was: his session ends.
    let other = |change: &dyn Fn(&mut Grant)| {
        let (mut oidc, _) = provider(&[]);
        oidc.settings.grants.iter_mut().for_each(change);
        oidc.still_grants(&who, groups)
    };
    assert!(other(&|_| {}));
    assert!(!other(&|grant| grant.role = Role::Viewer));
    assert!(!other(&|grant| grant.group.clear()));
    assert!(!other(&|grant| grant.teams = None));
    let typed = json!({ "alg": "ES256", "kid": "two", "typ": "at+jwt" });
    let access = with(&[
        ("aud", json!(["urn:other", "urn:farthing"])),
        ("realm", json!({ "groups": "platform" })),
        ("preferred_username", json!("\u{1b}[2J")),
    ]);
    let who = of(&curve.token(&typed, &access)).unwrap();
    // A name that is not fit to be shown is the subject.
    assert_eq!((who.name.as_str(), who.role, who.teams), ("u-1", Role::Admin, None));
    // Without a name of its key there must be no choice.
    assert!(of(&key.token(&json!({ "alg": "EdDSA" }), &claims())).is_ok());
}

#[test]
fn what_is_not_of_the_provider_for_us_and_now_is_refused() {
    let (key, other) = (Signing::ed(), Signing::ed());
    let (oidc, _) = provider(&[key.jwk("one"), Signing::p256().jwk("two")]);
    let of = |head: &Value, claims: &Value| now(oidc.of_token(&key.token(head, claims))).err();
    let good = ed("one");
    for (changes, why) in [
        (("iss", json!("http://127.0.0.1:9/other")), Refused::Issuer),
        (("iss", json!([ISSUER, "http://127.0.0.1:9/other"])), Refused::Claims),
        (("iss", json!(format!("{ISSUER}/"))), Refused::Issuer),
        (("iss", Value::Null), Refused::Claims),
        (("aud", json!("grafana")), Refused::Audience),
        (("aud", json!([])), Refused::Audience),
        (("aud", Value::Null), Refused::Claims),
        (("exp", json!(seconds() - 61)), Refused::Expired),
        (("exp", json!(0)), Refused::Expired),
        (("exp", json!((seconds() + 300).to_string())), Refused::Claims),
        (("exp", Value::Null), Refused::Claims),
        (("nbf", json!(seconds() + 120)), Refused::NotYet),
        (("nbf", json!("never")), Refused::Claims),
        (("sub", Value::Null), Refused::Claims),
        (("sub", json!("")), Refused::Claims),
        (("realm", json!({ "groups": ["strangers"] })), no_grant("anna")),
        (("realm", json!({ "groups": { "platform": true } })), no_grant("anna")),
        (("realm", Value::Null), no_grant("anna")),
    ] {
        assert_eq!(of(&good, &with(std::slice::from_ref(&changes))), Some(why), "{changes:?}");
    }
    for (head, why) in [
        (json!({ "alg": "none" }), Refused::Unsigned),
        (json!({ "alg": "NoNe", "kid": "one" }), Refused::Unsigned),
        (json!({ "alg": "HS256", "kid": "one" }), Refused::Algorithm),
        (json!({ "alg": "RS256", "kid": "one" }), Refused::Algorithm),
        (json!({ "alg": "ES256", "kid": "one" }), Refused::Algorithm),
        (json!({ "alg": "ES256", "kid": "two" }), Refused::Signature),
        (json!({ "alg": "EdDSA", "kid": "three" }), Refused::UnknownKey),
        (json!({ "alg": "EdDSA", "kid": 1 }), Refused::Unreadable),
        (json!({ "alg": "XX256", "kid": "one" }), Refused::Algorithm),
        (json!({ "kid": "one" }), Refused::Unreadable),
        (json!({ "alg": "EdDSA", "kid": "one", "crit": ["b64"] }), Refused::Unreadable),
        (json!({ "alg": "EdDSA", "kid": "one", "typ": "logout+jwt" }), Refused::Claims),
    ] {
        assert_eq!(of(&head, &claims()), Some(why), "{head}");
    }
    // Signed by another with the name of a key of the provider, and with its own key in the head.
    let forged = other.token(&good, &claims());
    assert_eq!(now(oidc.of_token(&forged)).err(), Some(Refused::Signature));
    let own = json!({ "alg": "EdDSA", "kid": "one", "jwk": other.jwk("one"), "jku": "http://x" });
    assert_eq!(now(oidc.of_token(&other.token(&own, &claims()))).err(), Some(Refused::Signature));
    // Changed after it was signed, cut, or nothing of the kind.
    let token = key.token(&good, &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let more = words(with(&[("realm", json!({ "groups": ["platform"] }))]).to_string().as_bytes());
    for (bad, why) in [
        (format!("{}.{more}.{}", parts[0], parts[2]), Refused::Signature),
        (format!("{}.{}.", parts[0], parts[1]), Refused::Signature),
        (format!("{}.{}", parts[0], parts[1]), Refused::Unreadable),
        (format!("{token}.x"), Refused::Unreadable),
        ("..".to_owned(), Refused::Unreadable),
        (format!("{}.{}.{}", words(b"[]"), parts[1], parts[2]), Refused::Unreadable),
        (format!("{}.x.{}", "y".repeat(20_000), parts[2]), Refused::Unreadable),
    ] {
        assert_eq!(now(oidc.of_token(&bad)).err(), Some(why), "{bad}");
    }
}

#[test]
fn a_public_key_is_no_secret_to_sign_with() {
    let key = Signing::ed();
    let secret = json!({ "kty": "oct", "kid": "shared", "k": words(b"shared"), "alg": "HS256" });
    let (oidc, _) = provider(&[key.jwk("one"), secret]);
    let sign = |id: &str, with: &[u8]| {
        let head = words(json!({ "alg": "HS256", "kid": id }).to_string().as_bytes());
        let text = format!("{head}.{}", words(claims().to_string().as_bytes()));
        let with = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, with);
        format!("{text}.{}", words(ring::hmac::sign(&with, text.as_bytes()).as_ref()))
    };
    let bytes = key.public();
    let text = words(&bytes);
    for (id, with) in [("one", &bytes[..]), ("one", text.as_bytes()), ("shared", b"shared")] {
        assert_eq!(now(oidc.of_token(&sign(id, with))).err(), Some(Refused::Algorithm));
    }
}

#[test]
fn new_keys_are_found_and_made_up_ones_do_not_wear_the_provider_out() {
    let (old, new) = (Signing::ed(), Signing::ed());
    let (oidc, says) = provider(&[old.jwk("old")]);
    assert!(now(oidc.of_token(&old.token(&ed("old"), &claims()))).is_ok());
    assert_eq!(says.asked.load(Ordering::SeqCst), 1);
    *says.keys.lock().unwrap() = vec![new.jwk("new")];
    assert!(now(oidc.of_token(&new.token(&ed("new"), &claims()))).is_ok());
    assert_eq!(says.asked.load(Ordering::SeqCst), 2);
    // What the provider has no longer is no longer good.
    let gone = now(oidc.of_token(&old.token(&ed("old"), &claims())));
    assert_eq!(gone.err(), Some(Refused::UnknownKey));
    for number in 0..200 {
        let made_up = old.token(&ed(&format!("{number}")), &claims());
        assert_eq!(now(oidc.of_token(&made_up)).err(), Some(Refused::UnknownKey));
    }
    assert_eq!(says.asked.load(Ordering::SeqCst), 5);
    // Half a minute later there is one more, and who has a known key never waits for it.
    let later = Instant::now() + Duration::from_secs(31);
    let key = now(oidc.provider.key(Some("made-up"), jsonwebtoken::Algorithm::EdDSA, later));
    assert_eq!(key.err(), Some(Refused::UnknownKey));
    assert_eq!(says.asked.load(Ordering::SeqCst), 6);
    assert!(now(oidc.of_token(&new.token(&ed("new"), &claims()))).is_ok());
}

#[test]
fn a_provider_that_is_down_is_good_for_an_hour_and_nobody_else_speaks_for_it() {
    let key = Signing::ed();
    let (oidc, says) = provider(&[key.jwk("one")]);
    let start = Instant::now();
    let at = |after: u64| now(oidc.provider.known(start + Duration::from_secs(after)));
    *says.down.lock().unwrap() = true;
    assert!(matches!(at(0).err(), Some(Refused::Provider(_))));
    *says.down.lock().unwrap() = false;
    assert!(at(1).is_ok());
    *says.down.lock().unwrap() = true;
    assert!(at(3_000).is_ok());
    assert!(matches!(at(3_700).err(), Some(Refused::Provider(_))));
    *says.down.lock().unwrap() = false;
    *says.issuer.lock().unwrap() = Some("http://127.0.0.1:9/evil".to_owned());
    let said = at(4_000).err().unwrap().to_string();
    assert!(said.contains("not `http://127.0.0.1:9/realm`"), "{said}");
    *says.issuer.lock().unwrap() = None;
    assert!(at(4_100).is_ok());
}

fn query(address: &str, name: &str) -> String {
    let start = format!("{name}=");
    let (_, query) = address.split_once('?').unwrap();
    query.split('&').find_map(|pair| pair.strip_prefix(&start)).unwrap().to_owned()
}

#[test]
fn a_log_in_is_good_once_for_the_browser_that_began_it() {
    let key = Signing::ed();
    let (oidc, says) = provider(&[key.jwk("one")]);
    let (address, cookie) = now(oidc.begin("/cost")).unwrap();
    let (state, nonce) = (query(&address, "state"), query(&address, "nonce"));
    let challenge = query(&address, "code_challenge");
    let answer = |claims: Value| {
        let token = key.token(&ed("one"), &claims);
        *says.token.lock().unwrap() = json!({ "id_token": token, "access_token": "at-1" });
    };
    let come = |back: &Back, cookie: Option<&str>| now(oidc.finish(back, cookie));
    let back = Back {
        code: Some("c-1".to_owned()),
        state: Some(state.clone()),
        issuer: Some(ISSUER.to_owned()),
        error: None,
    };
    answer(with(&[("nonce", json!(nonce))]));
    let done = come(&back, Some(&cookie)).unwrap();
    assert_eq!((done.who.name.as_str(), done.back_to.as_str()), ("anna", "/cost"));
    // The question for the token has the secret where it belongs, and what the challenge is of.
    let asked = says.last.lock().unwrap().clone().unwrap();
    assert_eq!(
        asked.authorization.unwrap(),
        format!("Basic {}", {
            base64::engine::general_purpose::STANDARD.encode("farthing:a%20secret%3A%20%2B%2F")
        })
    );
    let form = asked.form.unwrap();
    let verifier = &form.iter().find(|(name, _)| *name == "code_verifier").unwrap().1;
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.encode(hash.as_ref()), challenge);

    let other = Signing::ed();
    for (claims, why) in [
        (claims(), Refused::Nonce),
        (with(&[("nonce", json!("another"))]), Refused::Nonce),
        (with(&[("nonce", json!(nonce)), ("aud", json!("urn:farthing"))]), Refused::Audience),
        (with(&[("nonce", json!(nonce)), ("azp", json!("grafana"))]), Refused::Audience),
        (
            with(&[("nonce", json!(nonce)), ("aud", json!(["farthing", "grafana"]))]),
            Refused::Audience,
        ),
        (with(&[("nonce", json!(nonce)), ("exp", json!(seconds() - 3_600))]), Refused::Expired),
    ] {
        answer(claims.clone());
        assert_eq!(come(&back, Some(&cookie)).err(), Some(why), "{claims}");
    }
    let forged = other.token(&ed("one"), &with(&[("nonce", json!(nonce))]));
    *says.token.lock().unwrap() = json!({ "id_token": forged });
    assert_eq!(come(&back, Some(&cookie)).err(), Some(Refused::Signature));
    *says.token.lock().unwrap() = json!({ "access_token": "at-1" });
    assert_eq!(come(&back, Some(&cookie)).err(), Some(Refused::Claims));
    *says.token.lock().unwrap() = Value::Null;
    assert_eq!(come(&back, Some(&cookie)).err(), Some(Refused::Denied));

    answer(with(&[("nonce", json!(nonce))]));
    let (_, another) = now(oidc.begin("/")).unwrap();
    for (changed, cookie, why) in [
        (back.clone(), None, Refused::State),
        (back.clone(), Some(another.as_str()), Refused::State),
        (Back { state: None, ..back.clone() }, Some(cookie.as_str()), Refused::State),
        (Back { issuer: Some("x".to_owned()), ..back.clone() }, Some(&cookie), Refused::Issuer),
        (Back { error: Some("x".to_owned()), ..back.clone() }, Some(&cookie), Refused::Denied),
        (Back { code: None, ..back.clone() }, Some(&cookie), Refused::Denied),
    ] {
        assert_eq!(come(&changed, cookie).err(), Some(why), "{changed:?}");
    }
}

#[test]
fn groups_that_are_not_in_the_token_are_asked_for_of_the_same_person() {
    let key = Signing::ed();
    let (oidc, says) = provider(&[key.jwk("one")]);
    let (address, cookie) = now(oidc.begin("/")).unwrap();
    let back = Back {
        code: Some("c-1".to_owned()),
        state: Some(query(&address, "state")),
        ..Back::default()
    };
    let nonce = query(&address, "nonce");
    let token = key.token(&ed("one"), &with(&[("nonce", json!(nonce)), ("realm", Value::Null)]));
    *says.token.lock().unwrap() = json!({ "id_token": token, "access_token": "at-1" });
    *says.userinfo.lock().unwrap() = json!({ "sub": "u-1", "realm": { "groups": ["platform"] } });
    let done = now(oidc.finish(&back, Some(&cookie)));
    // A claim that is there and says nothing is not filled by another.
    assert_eq!(done.err(), Some(no_grant("anna")));
    let mut without = with(&[("nonce", json!(nonce))]);
    without.as_object_mut().unwrap().remove("realm");
    let token = key.token(&ed("one"), &without);
    *says.token.lock().unwrap() = json!({ "id_token": token, "access_token": "at-1" });
    let done = now(oidc.finish(&back, Some(&cookie))).unwrap();
    assert_eq!((done.who.role, done.subject.as_str()), (Role::Admin, "u-1"));
    let asked = says.last.lock().unwrap().clone().unwrap();
    assert_eq!(asked.authorization.as_deref(), Some("Bearer at-1"));
    *says.userinfo.lock().unwrap() = json!({ "sub": "u-2", "realm": { "groups": ["platform"] } });
    assert_eq!(now(oidc.finish(&back, Some(&cookie))).err(), Some(Refused::Claims));
}
