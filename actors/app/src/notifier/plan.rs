//! What an application has of event notifiers, and what is left to do. No input or output.

use std::{collections::BTreeSet, iter::Peekable, sync::Arc};

use lttngd_model::{
    TracerToken,
    ust::{NotifierRule, NotifierSet},
};

/// The event notifiers of an application.
#[derive(Debug, Default)]
pub(crate) struct Notifiers {
    /// Tokens and handles of those that it has, in the order of the tokens.
    has: Vec<(TracerToken, u32)>,
    /// Those that it refused, and is not asked for again while they are wanted.
    refused: BTreeSet<TracerToken>,
}

/// What is to be done next.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Changes {
    /// Handles of what is not wanted any more.
    pub(crate) ended: Vec<u32>,
    /// What is missing, in the order of the tokens.
    pub(crate) missing: Vec<Arc<NotifierRule>>,
}

impl Changes {
    /// Whether the application is as it is wanted.
    pub(crate) fn are_none(&self) -> bool {
        self.ended.is_empty() && self.missing.is_empty()
    }
}

impl Notifiers {
    /// What is to be done towards this set, at most `max` of what is missing. What is ended counts as gone.
    pub(crate) fn changes(&mut self, want: &NotifierSet, max: usize) -> Changes {
        let mut changes = Changes::default();
        self.refused.retain(|token| want.get(*token).is_some());
        let mut wanted = want.iter().map(|(token, _)| token).peekable();
        self.has.retain(|(token, handle)| {
            let stays = is_next(&mut wanted, *token);
            if !stays {
                changes.ended.push(*handle);
            }
            stays
        });
        let mut has = self.has.iter().map(|(token, _)| *token).peekable();
        let missing = want
            .iter()
            .filter(|(token, _)| !is_next(&mut has, *token) && !self.refused.contains(token));
        changes.missing.extend(missing.take(max).map(|(_, rule)| Arc::clone(rule)));
        changes
    }

    /// The application made one.
    pub(crate) fn made(&mut self, token: TracerToken, handle: u32) {
        if let Err(at) = self.has.binary_search_by_key(&token, |(token, _)| *token) {
            self.has.insert(at, (token, handle));
        }
    }

    /// The application refused to make one.
    pub(crate) fn refused(&mut self, token: TracerToken) {
        self.refused.insert(token);
    }
}

/// Whether `token` is among those that are left, all of which are in order: goes past those before it.
fn is_next(tokens: &mut Peekable<impl Iterator<Item = TracerToken>>, token: TracerToken) -> bool {
    while tokens.next_if(|next| *next < token).is_some() {}
    tokens.peek() == Some(&token)
}

#[cfg(test)]
mod tests {
    use lttngd_model::{
        LogLevelRule,
        ust::{NotifierEvents, TracepointEvents},
    };
    use proptest::prelude::*;

    use super::*;

    fn set(tokens: impl IntoIterator<Item = u64>) -> NotifierSet {
        NotifierSet::new(tokens.into_iter().map(|token| {
            Arc::new(NotifierRule {
                token: TracerToken(token),
                error_counter_index: 0,
                events: NotifierEvents::Tracepoints(TracepointEvents {
                    name: "*".to_owned(),
                    loglevel: LogLevelRule::All,
                    filter: None,
                    exclusions: Vec::new(),
                }),
                captures: Vec::new(),
                app_contexts: Vec::new(),
            })
        }))
    }

    fn missing(changes: &Changes) -> Vec<u64> {
        changes.missing.iter().map(|rule| rule.token.0).collect()
    }

    #[test]
    fn what_is_not_wanted_goes_and_what_is_missing_comes() {
        let mut notifiers = Notifiers::default();
        let changes = notifiers.changes(&set([1, 2, 3]), 2);
        assert_eq!((missing(&changes), changes.ended), (vec![1, 2], vec![]));
        notifiers.made(TracerToken(2), 12);
        notifiers.made(TracerToken(1), 11);
        let changes = notifiers.changes(&set([0, 2, 3, 5]), 9);
        assert_eq!((missing(&changes), changes.ended), (vec![0, 3, 5], vec![11]));
        let changes = notifiers.changes(&set([2]), 9);
        assert!(changes.are_none());
        let changes = notifiers.changes(&NotifierSet::default(), 9);
        assert_eq!(changes.ended, [12]);
        assert!(notifiers.changes(&NotifierSet::default(), 9).are_none());
    }

    #[test]
    fn what_was_refused_is_asked_for_again_when_it_was_not_wanted_meanwhile() {
        let mut notifiers = Notifiers::default();
        notifiers.refused(TracerToken(4));
        assert!(notifiers.changes(&set([4]), 9).are_none());
        assert!(notifiers.changes(&set([]), 9).are_none());
        assert_eq!(missing(&notifiers.changes(&set([4]), 9)), [4]);
    }

    proptest! {
        #[test]
        fn an_application_comes_to_each_set(
            sets in prop::collection::vec(prop::collection::btree_set(0_u64..20, 0..12), 1..6),
        ) {
            let mut notifiers = Notifiers::default();
            for tokens in sets {
                let want = set(tokens.iter().copied());
                loop {
                    let changes = notifiers.changes(&want, 3);
                    if changes.are_none() {
                        break;
                    }
                    for rule in changes.missing {
                        notifiers.made(rule.token, u32::try_from(rule.token.0).unwrap_or(0));
                    }
                }
                let has: Vec<_> = notifiers.has.iter().map(|(token, _)| token.0).collect();
                prop_assert_eq!(has, tokens.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
