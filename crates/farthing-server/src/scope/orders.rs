//! Orders of someone, as far as he may give them and what they are about is his.

use super::Scoped;
use crate::identity::Deed;
use crate::orders::{Carried, NotCarried, Order};
use farthing_engine::{Answer, Ask, EngineError, Exposure, Short};
use farthing_model::TeamId;

/// Why an order was not given.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// His role, or his token, may not do this.
    MayNot(Deed),
    /// It is for a team that he is not of; the text says of which he is.
    OtherTeam(String),
    /// The loop behind this server takes none.
    NoLoop,
    /// The loop did not carry it out.
    Not(NotCarried),
}

impl Scoped {
    /// Has the loop carry out an order in his name.
    pub(crate) async fn give(&self, order: Order) -> Result<Carried, Unfit> {
        let deed = match &order {
            Order::Approve { .. } | Order::Undo { .. } | Order::Limit { .. } => Deed::Steps,
            Order::Claim(..) | Order::Check(_) | Order::Settle { .. } => Deed::Reserve,
            // Only the server itself notes.
            Order::Note(_) => Deed::Audit,
        };
        if !self.may(deed) {
            return Err(Unfit::MayNot(deed));
        }
        let order = self.own(order)?;
        let Some(orders) = &self.inner().orders else { return Err(Unfit::NoLoop) };
        let carried = orders.give(order, self.who().name.clone()).await.map_err(Unfit::Not)?;
        Ok(match carried {
            Carried::Answered(Answer::Refused(short), at) => {
                Carried::Answered(Answer::Refused(self.shown(short)), at)
            }
            Carried::Answered(Answer::Granted(mut claim), at) => {
                claim.budgets.retain(|budget| self.sees(budget));
                Carried::Answered(Answer::Granted(claim), at)
            }
            Carried::Checked { fits, mut checked } => {
                checked.short.retain(|short| self.sees(short.budget.as_str()));
                checked.over.retain(|short| self.sees(short.budget.as_str()));
                checked.hard.retain(|budget| self.sees(budget.as_str()));
                Carried::Checked { fits, checked }
            }
            other => other,
        })
    }

    /// An order about what is his; about anything else the answer is that of what does not exist.
    fn own(&self, order: Order) -> Result<Order, Unfit> {
        let Some(teams) = self.teams() else { return Ok(order) };
        let none = |error: EngineError| Unfit::Not(NotCarried::Unknown(error.to_string()));
        let open = &self.view().open;
        match &order {
            Order::Approve { step, .. } | Order::Undo { step }
                if !open.steps.contains_key(step) =>
            {
                Err(none(EngineError::NoStep(step.to_string())))
            }
            Order::Settle { claim, .. } if !open.claims.contains_key(claim) => {
                Err(none(EngineError::NoClaim(claim.clone())))
            }
            Order::Limit { budget, .. } => {
                let own = self.view();
                let is_own = own.exposures.iter().any(|it| it.state.budget.id.as_str() == budget);
                is_own
                    .then_some(order.clone())
                    .ok_or_else(|| none(EngineError::NoBudget(budget.clone())))
            }
            Order::Claim(ask, held) => Ok(Order::Claim(Box::new(of_his(ask, teams)?), *held)),
            Order::Check(ask) => Ok(Order::Check(Box::new(of_his(ask, teams)?))),
            _ => Ok(order),
        }
    }

    /// What something does not fit into: of budgets that are not his, only that there are.
    fn shown(&self, short: Vec<Short>) -> Vec<Short> {
        short.into_iter().filter(|short| self.sees(short.budget.as_str())).collect()
    }

    /// Whether a budget is his to see.
    fn sees(&self, budget: &str) -> bool {
        let is_it = |own: &Exposure| own.state.budget.id.as_str() == budget;
        self.teams().is_none() || self.view().exposures.iter().any(is_it)
    }
}

/// What someone of these teams asks: for the one that he names or has, and for no other.
fn of_his(ask: &Ask, teams: &super::Teams) -> Result<Ask, Unfit> {
    let team = ask.team.clone().or_else(|| only(teams)).filter(|it| teams.contains(it));
    let names: Vec<&str> = teams.iter().map(TeamId::as_str).collect();
    let team = team.ok_or_else(|| Unfit::OtherTeam(names.join(", ")))?;
    Ok(Ask { team: Some(team), ..ask.clone() })
}

fn only(teams: &super::Teams) -> Option<TeamId> {
    let mut all = teams.iter();
    all.next().filter(|_| all.next().is_none()).cloned()
}
