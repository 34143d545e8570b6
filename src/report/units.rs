//! Sizes and times as people read them.

/// A size in bytes as `41.8 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    // In tenths and whole numbers: the same everywhere.
    let tenths = |unit: u64| {
        let tenths = (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{} KiB", tenths(KIB)),
        MIB..GIB => format!("{} MiB", tenths(MIB)),
        _ => format!("{} GiB", tenths(GIB)),
    }
}

/// A time in milliseconds as `56.5 s`, `1 m 02 s` or `1 h 05 m`.
pub(super) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds.saturating_add(500) / 1000;
    if milliseconds < 59_950 {
        let tenths = (milliseconds + 50) / 100;
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 3600 {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60)
    }
}

/// A number and what it counts: `1 app`, `2 apps`.
pub(super) fn count(number: usize, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {one}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        let sizes = [0, 1023, 1024, 43_830_477, 5 << 30, u64::MAX].map(size);
        assert_eq!(
            sizes,
            [
                "0 B",
                "1023 B",
                "1.0 KiB",
                "41.8 MiB",
                "5.0 GiB",
                "17179869184.0 GiB"
            ]
        );
        let times = [0, 4_149, 59_949, 59_950, 62_000, 3_900_000].map(duration);
        assert_eq!(
            times,
            [
                "0.0 s", "4.1 s", "59.9 s", "1 m 00 s", "1 m 02 s", "1 h 05 m"
            ]
        );
        assert_eq!(duration(u64::MAX), "5124095576030 h 25 m");
    }
}
