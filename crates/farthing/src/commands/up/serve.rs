//! The API and the page beside a running loop.

use crate::args::UpArgs;
use crate::commands::plan::chain;
use crate::home::Home;
use crate::outcome::WrongUse;
use crate::print::talk;
use crate::store::Journal;
use farthing_edge::Head;
use farthing_engine::{Engine, Tick, World};
use farthing_model::{ClusterId, Offer, Policy};
use farthing_providers::manifest::Identity;
use farthing_server::{
    About, AccessRules, Behind, Bound, Desk, Oidc, Published, Running, Server, ServerError,
    Sessions, Ticked, Tls, orders,
};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What readers see; nothing where `--no-listen` was given.
pub(crate) struct Front {
    published: Published,
    running: Option<Running>,
    desk: Desk,
}

/// What there is to say before the first tick.
pub(crate) struct Opening<'a> {
    /// What is looked at, in words.
    pub(crate) world: &'a str,
    /// What may be done.
    pub(crate) policy: Policy,
    /// When the loop starts, by its clock.
    pub(crate) started: Timestamp,
    /// How long a tick is, in real time.
    pub(crate) every: Duration,
    /// Who is logged in.
    pub(crate) sessions: Sessions,
}

/// Who was logged in when the last run ended. Where that cannot be known people log in again.
pub(crate) fn sessions(
    home: &Home,
    cluster: &ClusterId,
    args: &UpArgs,
) -> anyhow::Result<Sessions> {
    if args.listen.no_listen {
        return Ok(Sessions::default());
    }
    let path = home.sessions(cluster);
    match Sessions::open(&path, Timestamp::now()) {
        Ok(sessions) => Ok(sessions),
        Err(error) => {
            talk(&format!("everybody has to log in again: {}", chain(&error)));
            Ok(Sessions::anew(&path)?)
        }
    }
}

/// The address, taken and not yet answered on: nothing is written before it is known to be free.
pub(crate) struct Listening {
    bound: Option<(Bound, Option<Oidc>)>,
    /// Teams that have series of their own.
    metrics_teams: usize,
}

impl Listening {
    /// Takes the address, unless it was told not to listen. Whoever comes from another machine has
    /// to log in, which takes `--auth`, a token that there is already, or a provider of identities.
    pub(crate) fn bind(
        args: &UpArgs,
        has_tokens: bool,
        identity: Option<&Identity>,
    ) -> anyhow::Result<Self> {
        let args = &args.listen;
        let metrics_teams = args.metrics_teams;
        if args.no_listen {
            return Ok(Self { bound: None, metrics_teams });
        }
        let address: SocketAddr = args.address.parse().map_err(|_| {
            WrongUse::new(format!("--listen `{}` is not an address", args.address))
                .hint("write it like 127.0.0.1:4040; port 0 lets the system choose")
        })?;
        let tls = match (&args.tls_cert, &args.tls_key) {
            (Some(certificate), Some(key)) => {
                let tls = Tls::open(certificate, key);
                Some(tls.map_err(|error| WrongUse::new(chain(&error)))?)
            }
            _ => None,
        };
        let can_log_in = has_tokens || identity.is_some();
        let rules = AccessRules {
            required: args.auth || (can_log_in && !address.ip().is_loopback()),
            tls: args.behind_proxy,
            insecure: args.insecure_http,
            proxied: args.behind_proxy,
        };
        let bound = Server::bind(address, rules, tls).map_err(|error| {
            let hint = match error {
                ServerError::Open(_) => {
                    "use --auth and make a token with `farthing token create`, or listen on \
                     127.0.0.1 and reach it from elsewhere through an SSH tunnel"
                }
                ServerError::Clear(_) => {
                    "give it a certificate with --tls-cert and --tls-key, or say --behind-proxy \
                     or --insecure-http"
                }
                _ => "name another with --listen 127.0.0.1:PORT, or use --no-listen",
            };
            WrongUse::new(error.to_string()).hint(hint)
        })?;
        if rules.required && !can_log_in {
            talk("nobody can log in yet: make a token with `farthing token create NAME`");
        }
        let oidc = identity
            .map(|identity| {
                super::identity::open(identity, (bound.address(), bound.is_encrypted()))
            })
            .transpose()?;
        Ok(Self { bound: Some((bound, oidc)), metrics_teams })
    }
}

impl Front {
    /// Answers on the address that was taken.
    pub(crate) fn open<W: World, S: farthing_edge::Store>(
        listening: Listening,
        engine: &Engine<W, S>,
        journal: Journal,
        opening: Opening<'_>,
    ) -> anyhow::Result<Self> {
        let config = engine.config();
        let published = Published::new(About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: config.cluster.clone(),
            world: opening.world.to_owned(),
            currency: config.currency,
            policy: opening.policy,
            started: opening.started,
            every: opening.every,
            metrics_teams: listening.metrics_teams,
        });
        let (orders, desk) = orders();
        let Some((bound, oidc)) = listening.bound else {
            return Ok(Self { published, running: None, desk });
        };
        let encrypted = bound.is_encrypted();
        let running = bound.serve(Behind {
            published: published.clone(),
            books: engine.books().clone(),
            journal: Some(journal),
            orders: Some(orders),
            offers: Some(crate::commands::offers::market()),
            oidc,
            sessions: opening.sessions,
        })?;
        let scheme = if encrypted { "https" } else { "http" };
        talk(&format!("listening on {scheme}://{}", running.address()));
        Ok(Self { published, running: Some(running), desk })
    }

    /// Shows a tick.
    pub(crate) fn publish<W: World, S: farthing_edge::Store>(
        &self,
        tick: Tick,
        took: Duration,
        offers: Arc<[Offer]>,
        engine: &Engine<W, S>,
    ) -> anyhow::Result<()> {
        let head: Head = engine.head();
        let open = Arc::new(engine.open_state().clone());
        let exposures = engine.exposures(tick.at)?.into();
        let ticked = Ticked { tick, took, solve: None, offers, head, open, exposures };
        Ok(self.published.ticked(ticked)?)
    }

    /// Shows what is open between two ticks.
    pub(crate) fn refresh<W: World, S: farthing_edge::Store>(
        &self,
        engine: &Engine<W, S>,
        now: Timestamp,
    ) {
        if let Ok(exposures) = engine.exposures(now) {
            self.published.opened(engine.open_state().clone(), exposures);
        }
    }

    /// Takes another provider of identities, or other grants of it, where it listens.
    pub(crate) fn identify(&self, oidc: Option<Oidc>) {
        if let Some(running) = &self.running {
            running.identify(oidc);
        }
    }

    /// A provider of identities as a manifest says it now, for the address that it listens on;
    /// `None` where it does not.
    pub(crate) fn provider(&self, identity: Option<&Identity>) -> anyhow::Result<Option<Oidc>> {
        let Some(running) = &self.running else { return Ok(None) };
        let at = (running.address(), running.is_encrypted());
        identity.map(|identity| super::identity::open(identity, at)).transpose()
    }

    /// Shows what may be done from now on.
    pub(crate) fn told(&self, policy: Policy) {
        self.published.told(policy);
    }

    /// Passes `length`, and carries out what people order meanwhile.
    pub(crate) fn attend<W: World, S: farthing_edge::Store>(
        &self,
        length: Duration,
        engine: &mut Engine<W, S>,
        now: impl Fn() -> Timestamp,
    ) {
        self.desk.attend(length, engine, &self.published, now);
    }

    /// Shows that a tick failed.
    pub(crate) fn failed(&self, at: Timestamp, error: &(dyn std::error::Error + 'static)) {
        self.published.failed(at, error);
    }

    /// Shows that there will be no more ticks; where it listens, if it does.
    pub(crate) fn ended(&self, why: &'static str) -> Option<SocketAddr> {
        self.published.ended(why);
        self.running.as_ref().map(Running::address)
    }

    /// Stops listening.
    pub(crate) fn close(self) {
        if let Some(running) = self.running {
            running.stop();
        }
    }
}
