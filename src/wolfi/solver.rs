//! The choice of one package per name, by the rules of apk 2.14.
//!
//! Names that are demanded are decided one after the other, and no decision is taken back. Before each decision the
//! consequences of all that is known are drawn: a package that breaks a demand, or whose own demands can no longer be
//! met, is out; what all remaining candidates of a name demand or provide is demanded at once.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::atom::Atom;
use super::index::{Index, NameId, Package, PackageId};
use super::slots::Slots;
use super::version::Version;

/// A package under one of the names that it can be asked for as.
#[derive(Clone, Copy)]
pub(super) struct Provider<'a> {
    pub(super) id: PackageId,
    pub(super) package: &'a Package,
    /// The version under that name; none for an unversioned provide.
    pub(super) version: Option<&'a Version>,
}

/// The state of the choice, and its outcome once [`Solver::run`] has returned.
pub(super) struct Solver<'a> {
    index: &'a Index,
    names: Slots<Name<'a>>,
    packages: Slots<Candidate<'a>>,
    /// Names that are demanded and that the index does not have, numbered behind those that it has.
    unknown: BTreeMap<String, NameId>,
    dirty: VecDeque<NameId>,
    /// Demanded and undecided, in the order of their demand.
    open: Vec<NameId>,
    discovered: u32,
}

#[derive(Default)]
struct Name<'a> {
    providers: Vec<Provider<'a>>,
    /// The names of the packages that depend on this one.
    dependents: Vec<NameId>,
    is_seen: bool,
    is_dirty: bool,
    is_open: bool,
    is_decided: bool,
    needs_check: bool,
    has_choice: bool,
    can_be_chosen: bool,
    dependents_are_decided: bool,
    chosen: Option<Provider<'a>>,
    demands: u32,
    /// Names that were completely discovered earlier have a lower number, so dependencies come before dependents.
    depth: u32,
    // Scratch of `reconsider`: how many of the candidates looked at so far share the name.
    sharing_depends: u32,
    sharing_provides: u32,
    is_shared_unversioned: bool,
}

#[derive(Default)]
struct Candidate<'a> {
    depends: Vec<(NameId, &'a Atom)>,
    provides: Vec<(NameId, Option<&'a Version>)>,
    own_name: Option<NameId>,
    is_seen: bool,
    is_out: bool,
    is_merged: bool,
    is_used: bool,
    conflicts: u32,
}

impl<'a> Solver<'a> {
    pub(super) fn new(index: &'a Index) -> Self {
        Self {
            index,
            names: Slots::new(index.name_count()),
            packages: Slots::new(index.len()),
            unknown: BTreeMap::new(),
            dirty: VecDeque::new(),
            open: Vec::new(),
            discovered: 0,
        }
    }

    /// Chooses packages for `world`, which is sorted by name.
    pub(super) fn run(&mut self, world: &[Atom]) {
        let world: Vec<(NameId, &Atom)> = world
            .iter()
            .map(|atom| (self.id(&atom.name), atom))
            .collect();
        for (name, _) in &world {
            self.discover(*name);
        }
        for name in &mut self.names.used {
            name.dependents.sort_unstable();
            name.dependents.dedup();
        }
        for (name, atom) in &world {
            self.demand(*name, atom);
        }
        loop {
            while let Some(name) = self.dirty.pop_front() {
                self.name(name).is_dirty = false;
                self.reconsider(name);
            }
            let Some(name) = self.next_open() else {
                return;
            };
            self.decide(name);
        }
    }

    /// What was chosen under `name`.
    pub(super) fn chosen(&self, name: &str) -> Option<Provider<'a>> {
        let id = self.index.name_id(name)?;
        self.names[id.0].chosen
    }

    fn name(&mut self, id: NameId) -> &mut Name<'a> {
        &mut self.names[id.0]
    }

    fn candidate(&mut self, id: PackageId) -> &mut Candidate<'a> {
        &mut self.packages[id.0]
    }

    fn id(&mut self, name: &str) -> NameId {
        if let Some(id) = self.index.name_id(name) {
            return id;
        }
        if let Some(id) = self.unknown.get(name) {
            return *id;
        }
        let id = NameId(self.names.add());
        self.unknown.insert(name.to_owned(), id);
        id
    }

    // Visits everything that can be reached, dependencies first. A stack of its own, for a chain of packages may be
    // as long as the index.
    fn discover(&mut self, first: NameId) {
        if self.names[first.0].is_seen {
            return;
        }
        let mut visits = vec![self.visit(first)];
        while let Some(visit) = visits.last_mut() {
            match self.advance(visit) {
                Some(next) => visits.push(next),
                None => {
                    self.discovered += 1;
                    let (name, depth) = (visit.name, self.discovered);
                    self.name(name).depth = depth;
                    visits.pop();
                }
            }
        }
    }

    fn visit(&mut self, name: NameId) -> Visit {
        let index = self.index;
        let is_known = (name.0 as usize) < index.name_count();
        let providers = if is_known {
            let text = index.name_of(name);
            index
                .provider_ids(name)
                .map(|id| {
                    let package = index.package(id);
                    Provider {
                        id,
                        package,
                        version: package.version_as(text),
                    }
                })
                .collect()
        } else {
            Vec::new()
        };
        let state = self.name(name);
        state.is_seen = true;
        state.providers = providers;
        Visit {
            name,
            provider: 0,
            item: 0,
            in_provides: false,
        }
    }

    // The next unseen name below the visited one: first those that its providers depend on, then those that they
    // provide too.
    fn advance(&mut self, visit: &mut Visit) -> Option<Visit> {
        loop {
            let providers = &self.names[visit.name.0].providers;
            let Some(provider) = providers.get(visit.provider).copied() else {
                if visit.in_provides {
                    return None;
                }
                (visit.in_provides, visit.provider, visit.item) = (true, 0, 0);
                continue;
            };
            if !visit.in_provides && visit.item == 0 && !self.enter(provider) {
                visit.provider += 1;
                continue;
            }
            let candidate = &self.packages[provider.id.0];
            let next = if visit.in_provides {
                candidate.provides.get(visit.item).map(|(name, _)| *name)
            } else {
                candidate.depends.get(visit.item).map(|(name, _)| *name)
            };
            match next {
                None => (visit.provider, visit.item) = (visit.provider + 1, 0),
                Some(name) => {
                    visit.item += 1;
                    if !self.names[name.0].is_seen {
                        return Some(self.visit(name));
                    }
                }
            }
        }
    }

    // Sets up a package at its first visit.
    fn enter(&mut self, provider: Provider<'a>) -> bool {
        if self.packages[provider.id.0].is_seen {
            return false;
        }
        let package = provider.package;
        let own_name = self.id(&package.name);
        let depends: Vec<(NameId, &Atom)> = package
            .depends
            .iter()
            .map(|atom| (self.id(&atom.name), atom))
            .collect();
        let mut provided = BTreeSet::from([own_name]);
        let mut provides: Vec<(NameId, Option<&Version>)> = Vec::new();
        for provide in &package.provides {
            let name = self.id(&provide.name);
            if provided.insert(name) {
                provides.push((name, provide.version.as_ref()));
            }
        }
        for (name, _) in &depends {
            let dependents = &mut self.names[name.0].dependents;
            dependents.push(own_name);
            dependents.extend(provides.iter().map(|(provided, _)| *provided));
        }
        *self.candidate(provider.id) = Candidate {
            depends,
            provides,
            own_name: Some(own_name),
            is_seen: true,
            is_out: !package.is_installable(),
            ..Candidate::default()
        };
        true
    }

    fn mark_dirty(&mut self, id: NameId) {
        let name = self.name(id);
        if name.is_dirty || name.is_decided || name.demands == 0 {
            return;
        }
        name.is_dirty = true;
        self.dirty.push_back(id);
    }

    fn open_name(&mut self, id: NameId) {
        let name = self.name(id);
        if name.is_decided || name.is_open || name.demands == 0 {
            return;
        }
        name.is_open = true;
        self.open.push(id);
    }

    fn check_dependents(&mut self, id: NameId) {
        let dependents = std::mem::take(&mut self.name(id).dependents);
        for dependent in &dependents {
            let name = self.name(*dependent);
            if name.is_seen {
                name.needs_check = true;
                self.mark_dirty(*dependent);
            }
        }
        self.name(id).dependents = dependents;
    }

    fn rule_out(&mut self, id: PackageId) {
        let candidate = self.candidate(id);
        candidate.is_out = true;
        let names: Vec<NameId> = candidate.names().collect();
        for name in names {
            self.check_dependents(name);
        }
    }

    // Adds a demand, and rules out what does not meet it.
    fn demand(&mut self, id: NameId, atom: &Atom) {
        let name = self.name(id);
        if !atom.conflict {
            name.demands += 1;
            if name.demands == 1 {
                self.open_name(id);
                self.mark_dirty(id);
            }
        }
        for position in 0..self.names[id.0].providers.len() {
            let provider = self.names[id.0].providers[position];
            if is_met(atom, Some(provider)) {
                continue;
            }
            let candidate = self.candidate(provider.id);
            candidate.conflicts += 1;
            if !candidate.is_out {
                self.rule_out(provider.id);
            }
        }
    }

    fn can_be_met(&self, id: NameId, atom: &Atom) -> bool {
        let name = &self.names[id.0];
        if name.is_decided {
            return is_met(atom, name.chosen);
        }
        if name.demands == 0 && is_met(atom, None) {
            return true;
        }
        name.providers
            .iter()
            .any(|provider| !self.packages[provider.id.0].is_out && is_met(atom, Some(*provider)))
    }

    // Draws the consequences of what is known for one undecided name.
    fn reconsider(&mut self, id: NameId) {
        let needs_check = std::mem::take(&mut self.name(id).needs_check);
        self.name(id).can_be_chosen = false;
        let mut options: u32 = 0;
        let mut first = None;
        for position in 0..self.names[id.0].providers.len() {
            let provider = self.names[id.0].providers[position];
            self.candidate(provider.id).is_merged = false;
            if needs_check {
                self.check_depends(provider.id);
            }
            if self.candidate(provider.id).is_out || self.name(id).demands == 0 {
                continue;
            }
            self.candidate(provider.id).is_merged = true;
            first.get_or_insert(provider.id);
            self.merge(provider, options);
            options += 1;
            self.name(id).can_be_chosen |= self.is_selectable(&provider);
        }
        self.name(id).has_choice = options > 1;
        self.open_name(id);
        if let Some(first) = first {
            self.propagate(id, first, options);
        }
        let dependents = &self.names[id.0].dependents;
        let are_decided = dependents.iter().all(|dependent| {
            let name = &self.names[dependent.0];
            !name.is_seen || name.is_decided
        });
        self.name(id).dependents_are_decided = are_decided;
    }

    fn check_depends(&mut self, id: PackageId) {
        let candidate = &self.packages[id.0];
        if candidate.is_out {
            return;
        }
        let broken = candidate
            .depends
            .iter()
            .any(|(name, atom)| !self.can_be_met(*name, atom));
        if broken {
            self.rule_out(id);
        }
    }

    // Counts the names that all candidates so far demand and provide.
    fn merge(&mut self, provider: Provider<'a>, option: u32) {
        let candidate = &self.packages[provider.id.0];
        for (name, atom) in &candidate.depends {
            let name = &mut self.names[name.0];
            if !atom.conflict && name.sharing_depends == option {
                name.sharing_depends = option + 1;
            }
        }
        let own = candidate.own_name.map(|name| (name, provider.version));
        for (name, version) in own.iter().chain(&candidate.provides) {
            let name = &mut self.names[name.0];
            if name.sharing_provides == option {
                name.sharing_provides = option + 1;
                name.is_shared_unversioned |= version.is_none();
            }
        }
    }

    fn propagate(&mut self, id: NameId, first: PackageId, options: u32) {
        for position in 0..self.names[id.0].providers.len() {
            let provider = self.names[id.0].providers[position].id;
            let candidate = self.candidate(provider);
            candidate.is_used = candidate.is_merged;
        }
        let depends = self.packages[first.0].depends.clone();
        for (name, atom) in depends {
            let is_shared = std::mem::take(&mut self.name(name).sharing_depends) == options;
            if is_shared && options == 1 {
                self.demand(name, atom);
            } else if is_shared && self.name(name).demands == 0 {
                // All candidates want the name, not necessarily the same version of it.
                self.name(name).demands = 1;
                self.open_name(name);
                self.mark_dirty(name);
            }
        }
        let names: Vec<NameId> = self.packages[first.0].names().collect();
        for name in &names {
            let is_shared = std::mem::take(&mut self.name(*name).sharing_provides) == options;
            if is_shared {
                self.exclude_others(*name, id);
            }
        }
        for name in names {
            self.name(name).is_shared_unversioned = false;
        }
    }

    // All candidates of `id` provide `name` as well: whatever else provides `name` and not `id` is out, unless the
    // name may have several providers.
    fn exclude_others(&mut self, name: NameId, id: NameId) {
        if name == id {
            return;
        }
        let skip_unversioned = self.name(name).is_shared_unversioned;
        for position in 0..self.names[name.0].providers.len() {
            let provider = self.names[name.0].providers[position];
            let candidate = &self.packages[provider.id.0];
            let stays = candidate.is_out
                || candidate.own_name == Some(id)
                || skip_unversioned && provider.version.is_none()
                || candidate.provides.iter().any(|(provided, version)| {
                    *provided == id || skip_unversioned && version.is_none()
                });
            if !stays {
                self.rule_out(provider.id);
            }
        }
    }

    fn is_selectable(&self, provider: &Provider<'_>) -> bool {
        let own = self.packages[provider.id.0].own_name;
        is_selectable(provider) || own.is_some_and(|own| self.names[own.0].demands > 0)
    }

    // Names without a choice first, then those that can be chosen, dependents before dependencies.
    fn next_open(&mut self) -> Option<NameId> {
        let names = &self.names;
        self.open.retain(|id| !names[id.0].is_decided);
        let forced = self.open.iter().rev().find(|id| {
            let name = &names[id.0];
            name.dependents_are_decided && name.can_be_chosen && !name.has_choice
        });
        forced.copied().or_else(|| {
            self.open.iter().copied().max_by_key(|id| {
                let name = &names[id.0];
                (name.can_be_chosen, name.depth)
            })
        })
    }

    fn decide(&mut self, id: NameId) {
        let mut best: Option<Provider<'_>> = None;
        for provider in &self.names[id.0].providers {
            if self.is_selectable(provider)
                && best.is_none_or(|best| self.compare(provider, &best).is_gt())
            {
                best = Some(*provider);
            }
        }
        let Some(best) = best else {
            self.assign(id, None);
            return;
        };
        let candidate = &self.packages[best.id.0];
        let (own_name, provides) = (candidate.own_name, candidate.provides.clone());
        let own_version = Some(&best.package.version);
        let own = own_name.map(|name| (name, own_version));
        for (name, version) in own.into_iter().chain(provides) {
            self.assign(name, Some(Provider { version, ..best }));
        }
        let depends = self.packages[best.id.0].depends.clone();
        for (name, atom) in depends {
            self.demand(name, atom);
        }
    }

    fn assign(&mut self, id: NameId, chosen: Option<Provider<'a>>) {
        let name = self.name(id);
        if name.is_decided {
            return; // the check of the whole closure reports two exclusive providers
        }
        name.is_decided = true;
        name.is_dirty = false;
        name.chosen = chosen;
        self.dirty.retain(|dirty| *dirty != id);
        for position in 0..self.names[id.0].providers.len() {
            let other = self.names[id.0].providers[position];
            let stays = chosen.is_some_and(|chosen| {
                other.id == chosen.id || other.version.is_none() && chosen.version.is_none()
            });
            if !stays {
                self.rule_out(other.id);
            }
        }
        self.check_dependents(id);
    }

    fn compare(&self, left: &Provider<'_>, right: &Provider<'_>) -> Ordering {
        let ours = &self.packages[left.id.0];
        let theirs = &self.packages[right.id.0];
        (!ours.is_out)
            .cmp(&!theirs.is_out)
            .then(ours.is_used.cmp(&theirs.is_used))
            .then(theirs.conflicts.cmp(&ours.conflicts))
            .then_with(|| compare(left, right))
    }
}

impl Candidate<'_> {
    fn names(&self) -> impl Iterator<Item = NameId> {
        let provided = self.provides.iter().map(|(name, _)| *name);
        self.own_name.into_iter().chain(provided)
    }
}

struct Visit {
    name: NameId,
    provider: usize,
    item: usize,
    in_provides: bool,
}

/// Whether the demand is met by the one provider of its name, or by there being none.
pub(super) fn is_met(atom: &Atom, provider: Option<Provider<'_>>) -> bool {
    provider.is_some_and(|provider| atom.matches(provider.version, &provider.package.identity))
        != atom.conflict
}

/// Whether the provider may be chosen though nobody asks for its own name.
pub(super) fn is_selectable(provider: &Provider<'_>) -> bool {
    provider.version.is_some() || provider.package.provider_priority > 0
}

/// Which of two providers of one name is the better, all else being equal.
pub(super) fn compare(left: &Provider<'_>, right: &Provider<'_>) -> Ordering {
    // An unversioned provide is neither newer nor older than a version.
    let by_name = match (left.version, right.version) {
        (Some(left), Some(right)) => left.compare(right),
        _ => Ordering::Equal,
    };
    let (ours, theirs) = (left.package, right.package);
    let by_own_name = || match ours.name == theirs.name {
        true => ours.version.compare(&theirs.version),
        false => Ordering::Equal,
    };
    by_name
        .then_with(by_own_name)
        .then_with(|| ours.provider_priority.cmp(&theirs.provider_priority))
}
