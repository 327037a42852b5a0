//! Bytes of the bytecode.

use super::super::Filter;

/// The instructions and the relocation table.
fn compile(expression: &str) -> (Vec<u8>, Vec<u8>) {
    let bytecode = Filter::compile(expression).unwrap().bytecode;
    assert_eq!(bytecode.seqnum, 0);
    let (code, relocations) = bytecode.data.split_at(bytecode.reloc_table_offset as usize);
    (code.to_vec(), relocations.to_vec())
}

fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn load(value: i64) -> Vec<u8> {
    bytes(&[&[65], &value.to_ne_bytes()])
}

/// An entry of the relocation table.
fn relocation(offset: u16, name: &str) -> Vec<u8> {
    bytes(&[&offset.to_ne_bytes(), name.as_bytes(), &[0]])
}

#[test]
fn a_field_alone() {
    let (code, relocations) = compile("intfield");
    assert_eq!(code, [59, 0xff, 0xff, 1]);
    assert_eq!(relocations, relocation(0, "intfield"));
}

#[test]
fn a_logical_operator_skips_its_right_operand() {
    let (code, relocations) = compile("a > 1 && $ctx.vpid || 2.5");
    let expected = bytes(&[
        &[59, 0xff, 0xff],
        &load(1),
        &[14],
        // The comparison is a boolean already; fields and floating point numbers are cast.
        &[57],
        &20_u16.to_ne_bytes(),
        &[70, 0xff, 0xff, 67],
        &[58],
        &33_u16.to_ne_bytes(),
        &[66],
        &2.5_f64.to_ne_bytes(),
        &[68],
        &[1],
    ]);
    assert_eq!(code, expected);
    let names = bytes(&[&relocation(0, "a"), &relocation(16, "$ctx.vpid")]);
    assert_eq!(relocations, names);
}

#[test]
fn a_path_without_index_is_one_name_and_with_one_is_walked() {
    let (code, relocations) = compile("a->b.c == $app.p:t");
    assert_eq!(code, [59, 0xff, 0xff, 70, 0xff, 0xff, 12, 1]);
    let names = bytes(&[&relocation(0, "a.b.c"), &relocation(3, "$app.p:t")]);
    assert_eq!(relocations, names);

    let (code, relocations) = compile("a.bc[3] == $app.d[4]");
    let index = |index: u64| bytes(&[&[85], &index.to_ne_bytes()]);
    let symbol = |offset: u16| bytes(&[&[82], &offset.to_ne_bytes()]);
    let left = bytes(&[&[81], &symbol(2), &symbol(6), &index(3), &[86]]);
    let right = bytes(&[&[80], &symbol(11), &index(4), &[86]]);
    assert_eq!(code, bytes(&[&left, &right, &[12, 1]]));
    let names = [relocation(1, "a"), relocation(4, "bc"), relocation(18, "d")].concat();
    assert_eq!(relocations, names);
    // Offsets of names count from the beginning of the table.
    assert_eq!(&relocations[6..8], b"bc");
}

#[test]
fn texts_keep_their_escapes_and_lose_repeated_stars() {
    let text = |opcode: u8, text: &str| bytes(&[&[opcode], text.as_bytes(), &[0]]);
    for (literal, opcode, expected) in [
        ("\"plain\"", 64, "plain"),
        ("'quoted'", 64, "quoted"),
        ("\"two\nlines\"", 64, "twolines"),
        ("\"end*\"", 64, "end*"),
        (r#""star\*""#, 64, r"star\*"),
        ("\"a*b\"", 76, "a*b"),
        ("\"end**\"", 76, "end*"),
        (r#""*\**\\**""#, 76, r"*\**\\*"),
        ("\"\"", 64, ""),
    ] {
        let (code, _) = compile(&format!("{literal} == s"));
        assert_eq!(code, bytes(&[&text(opcode, expected), &[59, 0xff, 0xff, 12, 1]]), "{literal}");
    }
}

#[test]
fn unary_operators_follow_their_operand() {
    let (code, _) = compile("!-~+a");
    assert_eq!(code, [59, 0xff, 0xff, 98, 49, 50, 1]);
}

#[test]
fn operators_bind_as_in_c_but_for_bits_before_comparisons() {
    for (expression, same) in [
        ("a || b && c", "a || (b && c)"),
        ("a && b == c", "a && (b == c)"),
        ("a == b < c", "a == (b < c)"),
        ("a < b | c", "a < (b | c)"),
        ("a | b ^ c", "a | (b ^ c)"),
        ("a ^ b & c", "a ^ (b & c)"),
        ("a & b << c", "a & (b << c)"),
        ("a << -b", "a << (-b)"),
        ("-a == b", "(-a) == b"),
        ("a >> b >> c", "(a >> b) >> c"),
        ("a != b != c", "(a != b) != c"),
        ("a || b || c", "(a || b) || c"),
    ] {
        assert_eq!(compile(expression), compile(same), "{expression}");
    }
    assert_ne!(compile("a || b || c"), compile("a || (b || c)"));
}
