//! Where the records and names of an index lie in its text.

use super::super::atom::is_name;
use super::super::version::Version;
use super::record::is_file_safe;

#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) first_record: u32,
    pub(super) records: u32,
    pub(super) first_provider: u32,
    pub(super) providers: u32,
}

impl Name {
    pub(super) fn from_numbers(numbers: [u32; 6]) -> Self {
        let [
            start,
            length,
            first_record,
            records,
            first_provider,
            providers,
        ] = numbers;
        Self {
            start,
            length,
            first_record,
            records,
            first_provider,
            providers,
        }
    }

    pub(super) fn to_numbers(self) -> [u32; 6] {
        [
            self.start,
            self.length,
            self.first_record,
            self.records,
            self.first_provider,
            self.providers,
        ]
    }
}

// A record while the index is being read.
pub(super) struct Raw<'a> {
    pub(super) name: &'a str,
    pub(super) version: Version,
    pub(super) provides: Vec<&'a str>,
    pub(super) build_time: i64,
    pub(super) record: Record,
}

pub(super) fn read_records(text: &str) -> (Vec<Raw<'_>>, usize) {
    let mut raws = Vec::new();
    let mut skipped = 0;
    let mut start = 0;
    while start < text.len() {
        let end = text[start..]
            .find("\n\n")
            .map_or(text.len(), |length| start + length + 1);
        let record = Record {
            start: start as u32,
            end: end as u32,
        };
        match Raw::read(&text[start..end], record) {
            Some(raw) => raws.push(raw),
            None if text[start..end].trim().is_empty() => {}
            None => skipped += 1,
        }
        start = end + 1;
    }
    (raws, skipped)
}

impl<'a> Raw<'a> {
    fn read(text: &'a str, record: Record) -> Option<Self> {
        let (mut name, mut version, mut provides) = (None, None, Vec::new());
        let mut build_time = 0;
        for line in text.lines() {
            match line.as_bytes() {
                [b'P', b':', ..] if name.is_none() => name = Some(&line[2..]),
                [b'V', b':', ..] if version.is_none() => version = Some(&line[2..]),
                [b't', b':', ..] => build_time = line[2..].parse().unwrap_or(0),
                [b'p', b':', ..] => provides.push(&line[2..]),
                _ => {}
            }
        }
        let name = name.filter(|name| is_file_safe(name))?;
        let version = version.filter(|version| !version.is_empty())?;
        Some(Self {
            name,
            version: Version::new(version),
            provides,
            build_time,
            record,
        })
    }
}

pub(super) struct Tables {
    pub(super) records: Vec<Record>,
    pub(super) names: Vec<Name>,
    pub(super) providers: Vec<u32>,
}

/// What [`Index::tables`](super::Index::tables) gives, read again.
pub(in crate::wolfi) struct Parts {
    pub(super) skipped: usize,
    pub(super) newest_build: i64,
    pub(super) tables: Tables,
}

impl Parts {
    /// Nothing where there are fewer or more numbers than the first ones say.
    pub(in crate::wolfi) fn read(mut numbers: impl ExactSizeIterator<Item = u32>) -> Option<Self> {
        let skipped = numbers.next()? as usize;
        let time = u64::from(numbers.next()?) << 32 | u64::from(numbers.next()?);
        let mut count = || Some(numbers.next()? as usize);
        let (records, names, providers) = (count()?, count()?, count()?);
        let length = records
            .checked_mul(2)?
            .checked_add(names.checked_mul(6)?)?
            .checked_add(providers)?;
        if numbers.len() != length {
            return None;
        }
        let mut next = || numbers.next().unwrap_or_default();
        let records = (0..records).map(|_| Record {
            start: next(),
            end: next(),
        });
        let records = records.collect();
        let names = (0..names).map(|_| Name::from_numbers(std::array::from_fn(|_| next())));
        let names = names.collect();
        let tables = Tables {
            records,
            names,
            providers: numbers.collect(),
        };
        Some(Self {
            skipped,
            newest_build: time as i64,
            tables,
        })
    }
}

impl Tables {
    pub(super) fn build(text: &str, mut raws: Vec<Raw<'_>>) -> Self {
        raws.sort_by(|left, right| {
            let by_version = || right.version.cmp(&left.version);
            left.name.cmp(right.name).then_with(by_version)
        });
        let mut entries: Vec<(&str, u32, u32)> = Vec::new();
        for (number, raw) in raws.iter().enumerate() {
            entries.push((raw.name, raw.record.start, number as u32));
            let provides = raw
                .provides
                .iter()
                .flat_map(|line| line.split_ascii_whitespace());
            for provide in provides {
                let name = provide.split_once('=').map_or(provide, |(name, _)| name);
                if is_name(name) {
                    entries.push((name, raw.record.start, number as u32));
                }
            }
        }
        entries.sort_unstable();
        entries.dedup();
        let mut tables = Self {
            records: raws.iter().map(|raw| raw.record).collect(),
            names: Vec::new(),
            providers: Vec::with_capacity(entries.len()),
        };
        let mut first_record = 0;
        for group in entries.chunk_by(|left, right| left.0 == right.0) {
            let name = group[0].0;
            let records = raws[first_record..]
                .iter()
                .take_while(|raw| raw.name == name)
                .count();
            tables.names.push(Name {
                // The name is a part of the text: the distance of the two is its place.
                start: (name.as_ptr() as usize - text.as_ptr() as usize) as u32,
                length: name.len() as u32,
                first_record: first_record as u32,
                records: records as u32,
                first_provider: tables.providers.len() as u32,
                providers: group.len() as u32,
            });
            tables.providers.extend(group.iter().map(|entry| entry.2));
            first_record += records;
        }
        tables
    }
}
