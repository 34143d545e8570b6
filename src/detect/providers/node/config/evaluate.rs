//! Expressions of a configuration, evaluated as far as that needs no run.

use std::collections::BTreeMap;

use super::token::{Kind, Token};
use super::{SPREAD, Value, either};

/// Expressions inside of each other, at most.
const DEPTH: usize = 40;

/// Steps that an evaluation takes at most.
const STEPS: usize = 200_000;

/// Values of an object or array that are kept at most.
const WIDTH: usize = 500;

/// Evaluates the expressions of one file.
pub(super) struct Evaluator<'t> {
    tokens: &'t [Token],
    /// Where the values of names start.
    names: BTreeMap<&'t str, usize>,
    /// Names and the modules that they come from.
    modules: BTreeMap<&'t str, &'t str>,
    steps: usize,
}

impl<'t> Evaluator<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        let mut evaluator = Self {
            tokens,
            names: BTreeMap::new(),
            modules: BTreeMap::new(),
            steps: 0,
        };
        for at in 0..tokens.len() {
            match evaluator.name(at) {
                Some("const" | "let" | "var") => evaluator.declare(at + 1),
                Some("function") => {
                    if let Some(name) = evaluator.name(at + 1) {
                        evaluator.names.entry(name).or_insert(at);
                    }
                }
                Some("import") => evaluator.import(at + 1),
                _ => {}
            }
        }
        evaluator
    }

    fn name(&self, at: usize) -> Option<&'t str> {
        match &self.tokens.get(at)?.kind {
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }

    fn text(&self, at: usize) -> Option<&'t str> {
        match &self.tokens.get(at)?.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    fn is(&self, at: usize, mark: &str) -> bool {
        matches!(self.tokens.get(at), Some(Token { kind: Kind::Mark(found), .. }) if *found == mark)
    }

    fn line(&self, at: usize) -> u64 {
        self.tokens.get(at).map_or(0, |token| token.line)
    }

    fn declare(&mut self, at: usize) {
        let Some(name) = self.name(at) else { return };
        // A type may stand between the name and the value; it ends before `=`.
        let mut end = at + 1;
        if self.is(end, ":") {
            while end < self.tokens.len() && !self.is(end, "=") && !self.is(end, ";") {
                end = self.skip(end);
                self.steps += 1;
                if self.steps > STEPS {
                    return;
                }
            }
        }
        if self.is(end, "=") {
            self.names.entry(name).or_insert(end + 1);
            if self.name(end + 1) == Some("require")
                && let Some(module) = self.text(end + 3)
            {
                self.modules.insert(name, module);
            }
        }
    }

    fn import(&mut self, mut at: usize) {
        let mut names = Vec::new();
        for _ in 0..WIDTH {
            match self.tokens.get(at).map(|token| &token.kind) {
                Some(Kind::Name(name)) if name == "from" && self.text(at + 1).is_some() => {
                    let module = self.text(at + 1).unwrap_or_default();
                    self.modules
                        .extend(names.into_iter().map(|name| (name, module)));
                    return;
                }
                Some(Kind::Name(name)) => names.push(name.as_str()),
                Some(Kind::Mark("{" | "}" | "," | "*")) => {}
                _ => return,
            }
            at += 1;
        }
    }

    /// The position behind a token, or behind the closing mark of the brackets that it opens.
    fn skip(&mut self, at: usize) -> usize {
        if !matches!(
            self.tokens.get(at),
            Some(Token {
                kind: Kind::Mark("{" | "(" | "["),
                ..
            })
        ) {
            return at + 1;
        }
        let mut depth = 0_usize;
        for end in at..self.tokens.len() {
            self.steps += 1;
            match self.tokens[end].kind {
                Kind::Mark("{" | "(" | "[") => depth += 1,
                Kind::Mark("}" | ")" | "]") if depth == 1 => return end + 1,
                Kind::Mark("}" | ")" | "]") => depth -= 1,
                _ => {}
            }
            if self.steps > STEPS {
                break;
            }
        }
        self.tokens.len()
    }

    /// What the file exports.
    pub(super) fn exported(&mut self) -> Value {
        for at in 0..self.tokens.len() {
            let is_default =
                self.name(at) == Some("export") && self.name(at + 1) == Some("default");
            if is_default {
                return self.expression(at + 2, 0).0;
            }
            let is_module = self.name(at) == Some("module")
                && self.is(at + 1, ".")
                && self.name(at + 2) == Some("exports")
                && self.is(at + 3, "=");
            if is_module {
                return self.expression(at + 4, 0).0;
            }
            if self.name(at) == Some("export") && self.is(at + 1, "=") {
                return self.expression(at + 2, 0).0;
            }
        }
        Value::Nothing
    }

    /// What is given to members of names: `config.output = …`; below the top only a run would tell whether it happens.
    pub(super) fn assigned(&mut self) -> Vec<(String, Value, u64)> {
        let mut found = Vec::new();
        let mut depth = 0_usize;
        for at in 0..self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Mark("{" | "(" | "[") => depth += 1,
                Kind::Mark("}" | ")" | "]") => depth = depth.saturating_sub(1),
                _ => {}
            }
            if !(self.is(at, ".") && self.is(at + 2, "=")) || found.len() > WIDTH {
                continue;
            }
            let Some(name) = self.name(at + 1).filter(|name| *name != "exports") else {
                continue;
            };
            let value = if depth == 0 {
                self.expression(at + 3, 0).0
            } else {
                Value::Unknown
            };
            found.push((name.to_owned(), value, self.line(at)));
        }
        found
    }

    /// An expression, and the position behind it.
    fn expression(&mut self, at: usize, depth: usize) -> (Value, usize) {
        self.steps += 1;
        if depth > DEPTH || self.steps > STEPS || at >= self.tokens.len() {
            return (Value::Unknown, self.tokens.len());
        }
        let (condition, next) = self.binary(at, 0, depth + 1);
        if !self.is(next, "?") {
            return (condition, next);
        }
        let (yes, next) = self.expression(next + 1, depth + 1);
        if !self.is(next, ":") {
            return (Value::Unknown, next);
        }
        let (no, next) = self.expression(next + 1, depth + 1);
        let value = match truth(&condition) {
            Some(true) => yes,
            Some(false) => no,
            None => either(vec![yes, no]),
        };
        (value, next)
    }

    fn binary(&mut self, at: usize, level: usize, depth: usize) -> (Value, usize) {
        const LEVELS: &[&[&str]] = &[
            &["||", "??"],
            &["&&"],
            &["===", "==", "!==", "!="],
            &["+", "-", "*", "/", "%", "<", ">"],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.unary(at, depth);
        };
        let (mut left, mut next) = self.binary(at, level + 1, depth);
        while let Some(operator) = operators.iter().copied().find(|mark| self.is(next, mark)) {
            let (right, end) = self.binary(next + 1, level + 1, depth);
            left = combine(operator, left, right);
            next = end;
            self.steps += 1;
            if self.steps > STEPS {
                break;
            }
        }
        (left, next)
    }

    fn unary(&mut self, at: usize, depth: usize) -> (Value, usize) {
        if depth > DEPTH {
            return (Value::Unknown, self.tokens.len());
        }
        if self.is(at, "!") {
            let (value, next) = self.unary(at + 1, depth + 1);
            let value = truth(&value).map_or(Value::Unknown, |is| Value::Bool(!is));
            return (value, next);
        }
        if matches!(self.name(at), Some("await" | "new")) {
            return self.unary(at + 1, depth + 1);
        }
        if let Some(function) = self.function(at, depth) {
            return function;
        }
        let (mut value, mut next) = self.primary(at, depth);
        loop {
            if self.is(next, "(") {
                let (arguments, end) = self.list(next, ")", depth);
                value = match value {
                    Value::Call(name, before) if before.is_empty() => Value::Call(name, arguments),
                    Value::Call(name, _) => Value::Call(name, arguments),
                    Value::Function(returned) => *returned,
                    _ => Value::Call(String::new(), arguments),
                };
                next = end;
            } else if self.is(next, ".") || self.is(next, "?.") {
                value = match (&value, self.name(next + 1)) {
                    (Value::Object(_), Some(name)) => value.key(name).0,
                    _ => Value::Unknown,
                };
                next += 2;
            } else if self.is(next, "[") {
                next = self.skip(next);
                value = Value::Unknown;
            } else if matches!(self.name(next), Some("as" | "satisfies")) {
                next = self.behind_type(next + 1);
            } else {
                return (value, next);
            }
            self.steps += 1;
            if self.steps > STEPS {
                return (Value::Unknown, self.tokens.len());
            }
        }
    }

    /// The position behind a type.
    fn behind_type(&mut self, mut at: usize) -> usize {
        while at < self.tokens.len() {
            let is_end = matches!(
                self.tokens[at].kind,
                Kind::Mark("," | ";" | ")" | "]" | "}" | ":" | "?" | "=")
            );
            // A statement may end without a mark.
            let starts_anew = matches!(
                self.name(at),
                Some("export" | "module" | "const" | "let" | "import" | "function")
            );
            if is_end || starts_anew {
                break;
            }
            at = self.skip(at);
        }
        at
    }

    /// A function, in any of its spellings.
    fn function(&mut self, mut at: usize, depth: usize) -> Option<(Value, usize)> {
        if self.name(at) == Some("async") {
            at += 1;
        }
        if self.name(at) == Some("function") {
            let mut next = at + 1;
            while next < self.tokens.len() && !self.is(next, "(") {
                next += 1;
            }
            let next = self.skip(next);
            return Some(self.body_after(next, depth));
        }
        let behind = if self.is(at, "(") {
            self.skip(at)
        } else if self.name(at).is_some() && self.is(at + 1, "=>") {
            at + 1
        } else {
            return None;
        };
        let mut arrow = behind;
        if self.is(arrow, ":") {
            arrow = self.behind_type(arrow + 1);
        }
        if !self.is(arrow, "=>") {
            return None;
        }
        if self.is(arrow + 1, "{") {
            return Some(self.body_after(arrow + 1, depth));
        }
        let (value, next) = self.expression(arrow + 1, depth + 1);
        Some((Value::Function(Box::new(value)), next))
    }

    /// What the next braces return, as a function.
    fn body_after(&mut self, mut at: usize, depth: usize) -> (Value, usize) {
        if self.is(at, ":") {
            at += 1;
            while at < self.tokens.len() && !self.is(at, "{") {
                at += 1;
            }
        }
        let end = self.skip(at);
        let mut returned = Vec::new();
        let mut inside = at + 1;
        while inside + 1 < end && returned.len() < 16 && self.steps <= STEPS {
            self.steps += 1;
            // What functions inside of it return is not what it returns.
            let is_function = self.name(inside) == Some("function")
                || (self.is(inside, "=>") && self.is(inside + 1, "{"));
            if is_function {
                while inside < end && !self.is(inside, "{") {
                    inside += 1;
                }
                inside = self.skip(inside);
                continue;
            }
            if self.name(inside) == Some("return") {
                returned.push(self.expression(inside + 1, depth + 1).0);
            }
            inside += 1;
        }
        (Value::Function(Box::new(either(returned))), end)
    }

    fn primary(&mut self, at: usize, depth: usize) -> (Value, usize) {
        let Some(token) = self.tokens.get(at) else {
            return (Value::Unknown, at);
        };
        match &token.kind {
            Kind::Text(text) => (Value::Text(text.clone()), at + 1),
            Kind::Template | Kind::Number => (Value::Unknown, at + 1),
            Kind::Mark("{") => self.object(at, depth),
            Kind::Mark("[") => {
                let (values, next) = self.list(at, "]", depth);
                (Value::Array(values), next)
            }
            Kind::Mark("(") => {
                let (value, next) = self.expression(at + 1, depth + 1);
                let next = if self.is(next, ")") {
                    next + 1
                } else {
                    self.skip(at)
                };
                (value, next)
            }
            Kind::Mark(_) => (Value::Unknown, at + 1),
            Kind::Name(name) => self.named(name.clone(), at, depth),
        }
    }

    fn named(&mut self, name: String, at: usize, depth: usize) -> (Value, usize) {
        match name.as_str() {
            "true" => return (Value::Bool(true), at + 1),
            "false" => return (Value::Bool(false), at + 1),
            "undefined" | "null" => return (Value::Nothing, at + 1),
            "process" if self.name(at + 2) == Some("env") => return self.environment(at + 3),
            _ => {}
        }
        let module = self.modules.get(name.as_str()).copied();
        if self.is(at + 1, "(") {
            let known = self.names.get(name.as_str()).copied();
            // A function of the file itself gives what it returns.
            if let (None, Some(start)) = (module, known)
                && let Value::Function(returned) = self.expression(start, depth + 1).0
            {
                let next = self.skip(at + 1);
                return (*returned, next);
            }
            let called = module.map_or(name, str::to_owned);
            return (Value::Call(called, Vec::new()), at + 1);
        }
        if let Some(module) = module {
            // What a module holds is not known, but it may be called by one of its members.
            if self.is(at + 1, ".") && self.is(at + 3, "(") {
                return (Value::Call(module.to_owned(), Vec::new()), at + 3);
            }
            return (Value::Unknown, at + 1);
        }
        match self.names.get(name.as_str()).copied() {
            Some(start) => (self.expression(start, depth + 1).0, at + 1),
            None => (Value::Unknown, at + 1),
        }
    }

    /// A variable of the environment: the build has no other than these.
    fn environment(&mut self, at: usize) -> (Value, usize) {
        let (name, next) = if self.is(at, "[") {
            (self.text(at + 1), at + 3)
        } else {
            (self.name(at + 1), at + 2)
        };
        let value = match name {
            Some("NODE_ENV") => Value::Text("production".to_owned()),
            Some("CI") => Value::Text("true".to_owned()),
            Some(_) => Value::Nothing,
            None => Value::Unknown,
        };
        (value, next)
    }

    fn list(&mut self, at: usize, close: &str, depth: usize) -> (Vec<Value>, usize) {
        let end = self.skip(at);
        let mut values = Vec::new();
        let mut next = at + 1;
        while next < end && !self.is(next, close) && values.len() < WIDTH && self.steps <= STEPS {
            let start = if self.is(next, "...") { next + 1 } else { next };
            let (value, behind) = self.expression(start, depth + 1);
            values.push(value);
            next = behind.max(next + 1);
            while next < end && !self.is(next, ",") && !self.is(next, close) {
                next = self.skip(next);
            }
            if self.is(next, ",") {
                next += 1;
            }
        }
        (values, end)
    }

    fn object(&mut self, at: usize, depth: usize) -> (Value, usize) {
        let end = self.skip(at);
        let mut members = Vec::new();
        let mut next = at + 1;
        while next + 1 < end && members.len() < WIDTH && self.steps <= STEPS {
            let before = next;
            next = self.member(next, depth, &mut members).max(before + 1);
            while next < end && !self.is(next, ",") {
                next = self.skip(next);
            }
            next += 1;
        }
        (Value::Object(members), end)
    }

    /// One member of an object; gives the position behind it.
    fn member(
        &mut self,
        at: usize,
        depth: usize,
        members: &mut Vec<(String, Value, u64)>,
    ) -> usize {
        let line = self.line(at);
        if self.is(at, "...") {
            let (value, next) = self.expression(at + 1, depth + 1);
            match value.settled() {
                Value::Object(inner) if members.len() + inner.len() < WIDTH => {
                    members.extend(inner.iter().cloned());
                }
                Value::Nothing | Value::Bool(false) => {}
                _ => {
                    // What stood before may be overwritten.
                    members.clear();
                    members.push((SPREAD.to_owned(), Value::Unknown, line));
                }
            }
            return next;
        }
        let at = if self.name(at) == Some("async") && self.name(at + 1).is_some() {
            at + 1
        } else {
            at
        };
        let Some(key) = self.name(at).or_else(|| self.text(at)) else {
            return self.skip(at);
        };
        if self.is(at + 1, ":") {
            let (value, next) = self.expression(at + 2, depth + 1);
            members.push((key.to_owned(), value, line));
            return next;
        }
        if self.is(at + 1, "(") {
            let behind = self.skip(at + 1);
            let (value, next) = self.body_after(behind, depth);
            members.push((key.to_owned(), value, line));
            return next;
        }
        let (value, next) = self.named(key.to_owned(), at, depth + 1);
        members.push((key.to_owned(), value, line));
        next
    }
}

/// Whether a value counts as true, where that is known.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Nothing => Some(false),
        Value::Bool(is) => Some(*is),
        Value::Text(text) => Some(!text.is_empty()),
        Value::Array(_) | Value::Object(_) | Value::Function(_) => Some(true),
        Value::Call(..) | Value::Either(_) | Value::Unknown => None,
    }
}

fn combine(operator: &str, left: Value, right: Value) -> Value {
    let is_simple =
        |value: &Value| matches!(value, Value::Nothing | Value::Bool(_) | Value::Text(_));
    match operator {
        "&&" => match truth(&left) {
            Some(true) => right,
            Some(false) => left,
            None => either(vec![left, right]),
        },
        "||" => match truth(&left) {
            Some(true) => left,
            Some(false) => right,
            None => either(vec![left, right]),
        },
        "??" if left == Value::Nothing => right,
        "??" if is_simple(&left) => left,
        "??" => either(vec![left, right]),
        "===" | "==" if is_simple(&left) && is_simple(&right) => Value::Bool(left == right),
        "!==" | "!=" if is_simple(&left) && is_simple(&right) => Value::Bool(left != right),
        "+" => match (left, right) {
            (Value::Text(left), Value::Text(right)) => Value::Text(left + &right),
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}
