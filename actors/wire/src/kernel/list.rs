//! The text of the tracer's lists: one line an entry, `kind { member = value; ... };`.

use std::collections::HashMap;

/// A system call that the tracer knows by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedSyscall {
    /// Name, without the prefix that it has in traces.
    pub name: String,
    /// Whether 32-bit programs have it.
    pub is_of_32_bits: bool,
    /// Whether 64-bit programs have it.
    pub is_of_64_bits: bool,
}

/// The names of tracepoints. A line that cannot be understood is passed over.
#[must_use]
pub fn parse_tracepoints(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| member(line, "event", "name")).map(str::to_owned).collect()
}

/// The system calls in the order of the list, each once. A line that cannot be understood is passed over.
#[must_use]
pub fn parse_syscalls(text: &str) -> Vec<ListedSyscall> {
    let mut syscalls: Vec<ListedSyscall> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for line in text.lines() {
        let member = |name| member(line, "syscall", name);
        let (Some(name), Some(bitness)) = (member("name"), member("bitness")) else { continue };
        let at = *known.entry(name).or_insert_with(|| {
            let name = name.to_owned();
            syscalls.push(ListedSyscall { name, is_of_32_bits: false, is_of_64_bits: false });
            syscalls.len() - 1
        });
        match bitness {
            "32" => syscalls[at].is_of_32_bits = true,
            "64" => syscalls[at].is_of_64_bits = true,
            _ => {}
        }
    }
    syscalls
}

/// A member of an entry of this kind.
fn member<'a>(line: &'a str, kind: &str, name: &str) -> Option<&'a str> {
    let members = line.trim().strip_prefix(kind)?.trim().strip_prefix('{')?.strip_suffix("};")?;
    let mut members = members.split(';').filter_map(|member| member.split_once('='));
    let (_, value) = members.find(|(of, _)| of.trim() == name)?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracepoints_are_read_whatever_stands_between() {
        let text = "event { name = sched_switch; };\nnonsense\nevent { name = ; };\n\
                    event { name = irq_handler_entry; };\n";
        assert_eq!(parse_tracepoints(text), ["sched_switch", "irq_handler_entry"]);
    }

    #[test]
    fn a_system_call_of_both_tables_is_one() {
        let text = "syscall { index = 0; name = read; bitness = 64; };\n\
                    syscall { index = 9; name = mmap; bitness = 64; };\n\
                    syscall { index = 317; name = read; bitness = 32; };\n\
                    syscall { index = 322; name = waitpid; bitness = 32; };\n\
                    syscall { index = 1; bitness = 32; };\n";
        let listed = |name: &str, is_of_32_bits, is_of_64_bits| ListedSyscall {
            name: name.to_owned(),
            is_of_32_bits,
            is_of_64_bits,
        };
        let expected = [
            listed("read", true, true),
            listed("mmap", false, true),
            listed("waitpid", true, false),
        ];
        assert_eq!(parse_syscalls(text), expected);
    }
}
