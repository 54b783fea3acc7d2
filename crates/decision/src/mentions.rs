//! Where the app's code names something, looked up once for all names: asked of one constant after the other, each look
//! would be at the whole app.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use crate::index::Index;
use crate::project::{At, Project};
use crate::tree::{Bound, Kind};

/// What is named, by where it is defined.
type Uses = HashMap<At, Vec<At>>;

#[derive(Default)]
pub(crate) struct Mentions {
    /// All nodes that are this name, or a member of this name.
    by_name: HashMap<String, Vec<At>>,
    /// Other names under which files import or show this name.
    aliases: HashMap<String, BTreeSet<String>>,
    /// Of each name that was asked for, what running code means by it.
    uses: Mutex<HashMap<String, Arc<Uses>>>,
}

impl Mentions {
    fn new(project: &Project) -> Self {
        let mut all = Self::default();
        for (number, tree) in project.trees.iter().enumerate() {
            for id in 0..tree.nodes.len() as u32 {
                let at = At {
                    tree: number as u32,
                    id,
                };
                if tree.kind(id) != Kind::Name {
                    continue;
                }
                let parent = tree.parent(id).map(|parent| (parent, tree.kind(parent)));
                let at = match parent {
                    Some((_, Kind::Assign { target, .. })) if target == id => continue,
                    Some((parent, Kind::Member { name, .. })) if name == id => at.with(parent),
                    _ => at,
                };
                let name = tree.text(id);
                match all.by_name.get_mut(name) {
                    Some(places) => places.push(at),
                    None => {
                        all.by_name.insert(name.to_owned(), vec![at]);
                    }
                }
            }
            let shown = tree
                .exports
                .iter()
                .map(|(shown, what)| (shown.clone(), what));
            let bound = tree.bound.iter().flat_map(|(name, entries)| {
                let name = name.to_string();
                entries.iter().map(move |(_, what)| (name.clone(), what))
            });
            for (name, what) in shown.chain(bound) {
                if let Bound::Import { name: Some(of), .. } = what {
                    let known = all.aliases.entry(of.clone()).or_default();
                    known.insert(name);
                }
            }
        }
        all
    }
}

impl Index {
    /// Whether a constant's value is named by code that runs; anything else is used where it stands.
    pub(crate) fn is_used(&self, at: At) -> bool {
        let project = &self.project;
        if !self.is_live(at) {
            return false;
        }
        let tree = project.tree(at);
        if self.owner(at).id != tree.root {
            return true;
        }
        let bound = tree.upwards(at.id).find_map(|id| match tree.kind(id) {
            Kind::Assign { target, value } if tree.kind(target) == Kind::Name => {
                Some((tree.text(target), at.with(value)))
            }
            _ => None,
        });
        let Some((name, value)) = bound else {
            return true;
        };
        self.uses(name).get(&value).is_some_and(|places| {
            let inside = project.inside(value);
            places.iter().any(|place| !inside.contains(place))
        })
    }

    fn uses(&self, name: &str) -> Arc<Uses> {
        let mentions = self.mentions.get_or_init(|| Mentions::new(&self.project));
        let known = || mentions.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uses) = known().get(name) {
            return Arc::clone(uses);
        }
        let mut uses = Uses::default();
        let aliases = mentions.aliases.get(name).into_iter().flatten();
        let names: BTreeSet<&str> = aliases.map(String::as_str).chain([name]).collect();
        for place in names
            .iter()
            .filter_map(|name| mentions.by_name.get(*name))
            .flatten()
        {
            if self.is_live(*place)
                && let Some(value) = self.project.definition(*place)
            {
                uses.entry(value).or_default().push(*place);
            }
        }
        let uses = Arc::new(uses);
        known().insert(name.to_owned(), Arc::clone(&uses));
        uses
    }
}
