//! A server with a loop behind it that carries out orders, ticks when it is told to, and can be
//! started again on its journal and its books.
#![allow(dead_code, reason = "each user of it has its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

#[path = "../../../farthing-engine/tests/fake/mod.rs"]
mod fake;

use super::world::about;
use fake::{Lab, LabEngine, at};
use farthing_edge::{MemoryStore, Quote as _};
use farthing_ledger::Books;
use farthing_model::{Budget, BudgetId, Currency, Limit, Mode, Money, Period, Scope};
use farthing_server::{
    AccessRules, Behind, Desk, Published, Running, Server, Sessions, Ticked, orders,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// What the loop is told by the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Tick,
    Restart,
}

type Answered = Result<(), String>;

/// The server, and its loop on a thread of its own, which ends with it.
pub(crate) struct Living {
    pub(crate) server: Running,
    tell: SyncSender<(Told, SyncSender<Answered>)>,
}

/// A budget of each kind, wide enough for whatever a test reserves: hard, soft, and in GPU-hours.
pub(crate) fn budgets() -> Vec<Budget> {
    let budget = |name: &str, limit: Limit, hard| Budget {
        id: BudgetId::new(name).unwrap(),
        scope: Scope::All,
        limit,
        period: Period::Month,
        hard,
        escalate: Vec::new(),
        carry: None,
    };
    let usd = |dollars: i128| Money::from_pico(dollars * 1_000_000_000_000, Currency::USD);
    vec![
        budget("everything", Limit::Money(usd(1_000_000)), true),
        budget("hoped", Limit::Money(usd(10)), false),
        budget("hours", Limit::GpuHoursMilli(100_000), false),
    ]
}

impl Living {
    /// Starts it, with one tick behind it.
    pub(crate) fn start(budgets: Vec<Budget>) -> Self {
        let (books, published) = (Books::in_memory(), Published::new(about()));
        let ((orders, desk), (tell, told)) = (orders(), sync_channel(1));
        let behind = Behind {
            published: published.clone(),
            books: books.clone(),
            journal: Some(Box::new(MemoryStore::default())),
            orders: Some(orders),
            offers: None,
            oidc: None,
            sessions: Sessions::default(),
        };
        std::thread::spawn(move || {
            let mut lab = Lab { books, ..Lab::new(Mode::Approve, &["a", "b"]) };
            lab.config.budgets = budgets;
            live(&lab, &desk, &published, &told);
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = Server::bind(address, AccessRules::default(), None).unwrap();
        let living = Self { server: bound.serve(behind).unwrap(), tell };
        living.tick().unwrap();
        living
    }

    /// Has the loop tick.
    pub(crate) fn tick(&self) -> Answered {
        self.told(Told::Tick)
    }

    /// Opens the journal and the books anew, as the next run of the program does, and ticks.
    pub(crate) fn restart(&self) -> Answered {
        self.told(Told::Restart)
    }

    fn told(&self, told: Told) -> Answered {
        let (answer, answered) = sync_channel(1);
        self.tell.send((told, answer)).unwrap();
        answered.recv().expect("the loop lives")
    }
}

fn live(
    lab: &Lab,
    desk: &Desk,
    published: &Published,
    told: &Receiver<(Told, SyncSender<Answered>)>,
) {
    let mut second = 0;
    let mut engine = lab.open(second);
    loop {
        desk.attend(Duration::from_millis(2), &mut engine, published, || at(second));
        match told.try_recv() {
            Ok((told, answer)) => {
                second += 60;
                if told == Told::Restart {
                    engine = lab.open(second);
                }
                answer.send(tick(&mut engine, published, second)).unwrap();
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

fn tick(engine: &mut LabEngine, published: &Published, second: i64) -> Answered {
    let tick = engine.tick(at(second)).map_err(|error| format!("{error:?}"))?;
    let exposures = engine.exposures(tick.at).map_err(|error| format!("{error:?}"))?;
    let ticked = Ticked {
        offers: engine.world_mut().offers(tick.at).unwrap(),
        tick,
        took: Duration::from_millis(1),
        solve: None,
        head: engine.head(),
        open: Arc::new(engine.open_state().clone()),
        exposures: exposures.into(),
    };
    published.ticked(ticked).map_err(|error| format!("{error:?}"))
}
