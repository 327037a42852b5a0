//! What the daemon takes from a file of saved sessions when it starts: what the stock loader takes.

use std::fs;

use super::world::{Arena, Daemon, Relay, Which, both, eventually, listing};

/// The session that comes last: when it is there, all are.
const LAST: &str = "<session><name>last</name><started>false</started></session>";

/// A session of this name with user-space channels, and with more elements behind them.
fn session(name: &str, channels: &str, rest: &str) -> String {
    format!(
        "<session><name>{name}</name><domains><domain><type>UST</type>\
         <buffer_type>PER_UID</buffer_type><channels>{channels}</channels></domain></domains>\
         <started>false</started>{rest}</session>"
    )
}

/// A channel with more attributes, its events and its contexts.
fn channel(attributes: &str, events: &str, contexts: &str) -> String {
    format!(
        "<channel><name>c</name>{attributes}<read_timer_interval>0</read_timer_interval>\
         <output_type>MMAP</output_type><events>{events}</events><contexts>{contexts}</contexts>\
         </channel>"
    )
}

fn event(inner: &str) -> String {
    channel("", &format!("<event><enabled>true</enabled>{inner}</event>"), "")
}

fn context(inner: &str) -> String {
    channel("", "", &format!("<context>{inner}</context>"))
}

/// An output that is a directory.
fn directory(path: &str) -> String {
    format!(
        "<output><consumer_output><enabled>true</enabled><destination><path>{path}</path>\
         </destination></consumer_output></output>"
    )
}

fn snapshot_outputs(inner: &str) -> String {
    format!(
        "<attributes><snapshot_mode>true</snapshot_mode></attributes>\
         <output><snapshot_outputs>{inner}</snapshot_outputs></output>"
    )
}

fn schedules(inner: &str) -> String {
    format!("<attributes><rotation_schedules>{inner}</rotation_schedules></attributes>")
}

fn tracker(inner: &str) -> String {
    format!(
        "<session><name>tracker</name><domains><domain><type>UST</type>\
         <buffer_type>PER_PID</buffer_type><channels>{}</channels>{inner}</domain></domains>\
         <started>0</started></session>",
        channel("", "", "")
    )
}

/// Sessions that are loaded, by their names.
fn loadable() -> Vec<(String, String)> {
    let local = directory("/tmp/trace");
    let all = "<enabled>true</enabled><overwrite_mode>OVERWRITE</overwrite_mode>\
        <subbuffer_size>16384</subbuffer_size><subbuffer_count>8</subbuffer_count>\
        <switch_timer_interval>5000</switch_timer_interval><blocking_timeout>0</blocking_timeout>\
        <tracefile_size>65536</tracefile_size><tracefile_count>3</tracefile_count>\
        <live_timer_interval>0</live_timer_interval>\
        <monitor_timer_interval>200000</monitor_timer_interval>";
    let snapshot_output = "<output><name>n</name><max_size>1000000</max_size><consumer_output>\
        <enabled>true</enabled><destination><path>/tmp/snapshots</path></destination>\
        </consumer_output></output>";
    let period = |us: u64| format!("<periodic><time_us>{us}</time_us></periodic>");
    let size = "<size_threshold><bytes>1048576</bytes></size_threshold>";
    let mut sessions = vec![
        ("nothing".to_owned(), String::new(), String::new()),
        ("attributes".to_owned(), channel(all, "", ""), local.clone()),
        ("odd".to_owned(), channel("<subbuffer_count>+4</subbuffer_count>", "", ""), local.clone()),
        (
            "blocking".to_owned(),
            channel("<blocking_timeout>-1</blocking_timeout>", "", ""),
            local.clone(),
        ),
        ("file".to_owned(), channel("", "", ""), directory("file:///tmp/trace")),
        ("snapshots".to_owned(), channel("", "", ""), snapshot_outputs(snapshot_output)),
        ("nowhere".to_owned(), channel("", "", ""), snapshot_outputs("")),
        ("period".to_owned(), channel("", "", ""), schedules(&period(30_000_000)) + &local),
        (
            "schedules".to_owned(),
            channel("", "", ""),
            schedules(&format!("{}{size}{}", period(1), period(60_000_000))) + &local,
        ),
        (
            "shm".to_owned(),
            channel("", "", ""),
            "<shared_memory_path>/tmp/shm</shared_memory_path>".to_owned() + &local,
        ),
    ];
    for (number, inner) in [
        "",
        "<name/>",
        "<name>a:*</name><exclusions/>",
        "<name>a:b</name><type>PROBE</type>",
        "<name>a:b</name><type>PROBE</type><attributes><probe_attributes><symbol_name>x</symbol_name>\
         <offset>3</offset></probe_attributes></attributes>",
        "<name>a:b</name><type>FUNCTION_ENTRY</type>",
        "<name>a:b</name><attributes><userspace_probe_function_attributes>\
         <lookup_method>ELF</lookup_method><binary_path>/bin/true</binary_path>\
         <function_name>main</function_name></userspace_probe_function_attributes></attributes>",
        "<name>a:b</name><loglevel_type>SINGLE</loglevel_type>",
        "<name>a:b</name><loglevel_type>RANGE</loglevel_type><loglevel>6</loglevel>",
        "<name>a:b</name><filter>x == &quot;&#65;&quot;</filter>",
        "<name>a:b</name><filter>  x &gt;\n 1  </filter>",
        "<name>a:b</name><filter><![CDATA[x > 1 && \"<&>\" == y]]></filter>",
        "<name>a***b</name>",
    ]
    .into_iter()
    .enumerate()
    {
        sessions.push((format!("event{number}"), event(inner), local.clone()));
    }
    for (number, inner) in [
        "<type>VPID</type>",
        "<perf><type>0</type><config>0</config><name>perf_thread_cpu_cycles</name></perf>",
        "<app><provider_name>p</provider_name><ctx_name>c</ctx_name></app>",
    ]
    .into_iter()
    .enumerate()
    {
        sessions.push((format!("context{number}"), context(inner), local.clone()));
    }
    let session = |(name, channels, rest): (String, String, String)| {
        let text = session(&name, &channels, &rest);
        (name, text)
    };
    sessions.into_iter().map(session).collect()
}

/// What the daemon shows about the sessions of a file; `None` when it ends because of the file.
fn load(which: Which, file: &[u8], names: &[&str]) -> Option<String> {
    let arena = Arena::new();
    let path = arena.home().join("file");
    fs::write(&path, file).unwrap();
    let option = format!("--load={}", path.display());
    let mut daemon = Daemon::spawn(&arena, which, &[&option]);
    let is_loaded = eventually("the file is loaded or the daemon ends", || {
        if !daemon.is_running() {
            return Some(false);
        }
        let socket = arena.run_directory().join("client-lttng-sessiond");
        (socket.exists() && arena.lttng("list").stdout.contains("last")).then_some(true)
    });
    if !is_loaded {
        assert_eq!(daemon.wait().code(), Some(1), "{which:?}");
        return None;
    }
    let mut shown = String::new();
    for name in names {
        for command in ["list", "snapshot list-output -s"] {
            let answer = arena.lttng(&format!("{command} {name}"));
            let words = listing::in_order(&answer.stdout);
            shown += &format!("$ {command} {name}\n{words}{}", answer.stderr);
        }
    }
    daemon.stop(&arena);
    Some(arena.normalised(&shown))
}

fn file(sessions: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sessions>{sessions}{LAST}</sessions>\n")
}

/// Loads the same with both daemons.
fn compare(file: &[u8], names: &[&str]) -> Option<String> {
    let [stock, ours] = [Which::Stock, Which::Ours].map(|which| load(which, file, names));
    assert_eq!(ours, stock, "{}", String::from_utf8_lossy(file));
    ours
}

#[test]
fn every_element_is_loaded_as_by_the_stock_daemon() {
    let sessions = loadable();
    let names: Vec<&str> = sessions.iter().map(|(name, _)| name.as_str()).collect();
    let text: String = sessions.iter().map(|(_, text)| text.as_str()).collect();
    assert!(compare(file(&text).as_bytes(), &names).is_some());
}

#[test]
fn trackers_of_every_age_are_loaded() {
    let ids = |attribute: &str, values: &str| {
        format!(
            "<{attribute}_process_attr_tracker><process_attr_values>{values}</process_attr_values>\
             </{attribute}_process_attr_tracker>"
        )
    };
    for trackers in [
        format!(
            "<process_attr_trackers>{}{}{}</process_attr_trackers>",
            ids("vpid", "<vpid><id>7</id></vpid>"),
            ids("vuid", "<vuid><name>root</name></vuid>"),
            ids("vgid", "")
        ),
        format!(
            "<process_attr_trackers>{}</process_attr_trackers>",
            ids("vuid", "<vuid><id>4294967301</id></vuid>")
        ),
        "<trackers><pid_tracker><targets><pid_target><pid>42</pid></pid_target></targets>\
         </pid_tracker></trackers>"
            .to_owned(),
    ] {
        assert!(compare(file(&tracker(&trackers)).as_bytes(), &["tracker"]).is_some());
    }
}

#[test]
fn files_are_loaded_in_what_form_they_come() {
    let text = session("s", &channel("", "", ""), &directory("/tmp/trace")) + LAST;
    let utf16 = format!("\u{feff}<sessions>{text}</sessions>");
    for file in [
        format!("<sessions>{text}</sessions>").into_bytes(),
        format!(
            "<sessions xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:noNamespaceSchemaLocation=\"session.xsd\"><!-- note -->{text}</sessions>"
        )
        .into_bytes(),
        format!("<!DOCTYPE sessions><sessions><?note?>\r\n{text}\r\n</sessions>").into_bytes(),
        utf16.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ] {
        assert!(compare(&file, &["s"]).is_some());
    }
}

#[test]
fn what_the_stock_daemon_refuses_is_refused() {
    let local = directory("/tmp/trace");
    let live = "<attributes><live_timer_interval>1000000</live_timer_interval></attributes>";
    let plain = channel("", "", "");
    for (channels, rest) in [
        (plain.as_str(), directory("trace")),
        (&plain, live.to_owned()),
        (&plain, live.to_owned() + &local),
        (&plain, "<attributes><snapshot_mode>1</snapshot_mode></attributes>".to_owned() + &local),
        (&plain, "<output><snapshot_outputs/></output>".to_owned()),
        (&plain, schedules("") + &local),
        (&plain, schedules("<periodic/>") + &local),
        (&channel("<blocking_timeout>2147483648000</blocking_timeout>", "", ""), local.clone()),
        (&channel("<subbuffer_count>3</subbuffer_count>", "", ""), local.clone()),
        (&plain.replace("<name>c<", "<name>metadata<"), local.clone()),
        (&event("<name>a:b</name><type>SYSCALL</type>"), local.clone()),
        (&event("<name>a:b</name><attributes/>"), local.clone()),
        (
            &event(&format!(
                "<name>a:*</name><exclusions><exclusion>{}</exclusion></exclusions>",
                "x".repeat(256)
            )),
            local.clone(),
        ),
        (&context("<type>APP</type>"), local.clone()),
    ] {
        let file = file(&session("s", channels, &rest));
        assert_eq!(compare(file.as_bytes(), &["s"]), None, "{file}");
    }
}

#[test]
fn sessions_stream_from_the_load_on_to_machines_by_their_names() {
    // What the URLs of a saved session may be, `C` and `D` standing for ports.
    for place in [
        "<net_output><control_uri>tcp4://127.0.0.1:C/</control_uri>\
         <data_uri>tcp4://127.0.0.1:D/</data_uri></net_output>",
        "<net_output><control_uri>tcp://localhost:C/sub</control_uri>\
         <data_uri>tcp://localhost:D</data_uri></net_output>",
        "<net_output><control_uri>net://localhost:C:D</control_uri>\
         <data_uri>net://localhost:C:D</data_uri></net_output>",
        "<path>net://localhost:C:D/sub</path>",
    ] {
        both(|stage| {
            let relay = Relay::start(stage);
            let place = place.replace(":C", &format!(":{}", relay.ports[0]));
            let place = place.replace(":D", &format!(":{}", relay.ports[1]));
            let output = directory("").replace("<path></path>", &place);
            let text = session("s", &event("<name>sample:number</name>"), &output);
            let path = stage.arena.file("sessions");
            fs::write(&path, file(&text.replace("<started>false", "<started>true"))).unwrap();
            stage.daemon.kill();
            let option = format!("--load={}", path.display());
            stage.daemon = Daemon::start(&stage.arena, stage.which, &[&option]);
            eventually("the session is loaded", || {
                stage.arena.lttng("list").stdout.contains("last").then_some(())
            });
            let listed = stage.arena.lttng_ok("list s");
            stage.note(&relay.without_ports(&listing::in_order(&listed)));
            let mut program = stage.program();
            program.tell("number=3");
            stage.lttng_ok("destroy s");
            assert_eq!(stage.events_below(&relay.output).len(), 3);
            let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
            let files = super::world::trace::files(&relay.output).join("\n");
            stage.note(&files.replace(host.trim(), "HOST"));
            program.finish();
        });
    }
}
