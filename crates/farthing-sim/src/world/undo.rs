//! Taking steps back.

use super::SimWorld;
use super::act::{Effect, Refusal};
use super::job::Phase;
use farthing_edge::{Class, EdgeError};
use farthing_model::{Receipt, ReceiptOutcome, Step};

impl SimWorld {
    /// Takes a step back.
    pub(super) fn take_back(&mut self, step: &Step) -> Result<Receipt, EdgeError> {
        let Some(done) = self.steps.get(&step.id).cloned() else {
            let text = format!("step {} never took effect", step.id);
            return Err(EdgeError::new(Class::NotFound, text));
        };
        let receipt = |at, outcome| Receipt { step: step.id.clone(), at, outcome };
        if done.undone {
            return Ok(receipt(self.now(), ReceiptOutcome::AlreadyDone));
        }
        let refuse = |why: &str| {
            let text = format!("step {} cannot be undone: {why}", step.id);
            Err(EdgeError::new(Class::Denied, text))
        };
        match done.effect {
            Effect::Started { job, members } => {
                let running: Vec<usize> = members
                    .iter()
                    .filter(|(member, epoch)| self.runs_in(job, *member, *epoch))
                    .map(|(member, _)| *member)
                    .collect();
                if running.is_empty() {
                    return refuse("what it started has ended");
                }
                self.stop_members(job, &running);
                self.bump_job(job);
            }
            Effect::Scaled { service, offer, before, nodes_each } => {
                match self.scale_back(service, offer, (before, nodes_each)) {
                    Ok(()) => {}
                    Err(Refusal::Conflict(why) | Refusal::Failed(why)) => return refuse(&why),
                }
            }
            Effect::Suspended { job } => {
                if !self.jobs[job].suspended {
                    return refuse("the job was resumed since");
                }
                self.jobs[job].suspended = false;
                self.bump_job(job);
            }
            Effect::Resumed { job } => {
                let waits = self.jobs[job].waiting().count();
                if self.jobs[job].suspended || waits < self.jobs[job].members.len() {
                    return refuse("the job was placed or suspended since");
                }
                self.jobs[job].suspended = true;
                self.bump_job(job);
            }
            Effect::Released => return refuse("a node that was given back cannot be had again"),
        }
        if let Some(done) = self.steps.get_mut(&step.id) {
            done.undone = true;
        }
        self.note(format_args!("undid {} {}", step.id, step.action.name()));
        Ok(receipt(self.now(), ReceiptOutcome::Done))
    }

    /// Whether a member is still in the run of that epoch.
    fn runs_in(&self, job: usize, member: usize, epoch: u32) -> bool {
        let it = &self.jobs[job].members[member];
        it.epoch == epoch && matches!(it.phase, Phase::Scheduled(_) | Phase::Running(_))
    }
}
