//! The scripted model as a program, to try an agent by hand:
//! `scripted-model 127.0.0.1:4010 imports-first 2.0.99=429` fails at the second prompt's first message, 99 times.

use std::io::Write as _;
use std::process::ExitCode;

use scripted::{Kind, Script, Server, Trouble};

const USAGE: &str = "usage: scripted-model ADDRESS:PORT RECORDING [STEP.MESSAGE.TIMES=TROUBLE ...]
troubles: a status, cut, silence, stall, refusal, safeguards, idle, too-long, garbage
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut err = std::io::stderr();
    let troubles: Option<Vec<Trouble>> = words.iter().skip(2).map(|word| trouble(word)).collect();
    let (Some(address), Some(recording), Some(troubles)) = (words.first(), words.get(1), troubles)
    else {
        let _ = err.write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    let script = Script {
        messages: recording.clone(),
        responses: recording.clone(),
        chat: recording.clone(),
        commands: Vec::new(),
        troubles,
        scenes: Vec::new(),
    };
    match Server::start_at(script, address) {
        Ok(server) => {
            let address = server.address();
            let _ = writeln!(err, "scripted model, plays {recording}: http://{address}");
            server.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(err, "scripted-model: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn trouble(word: &str) -> Option<Trouble> {
    let (place, kind) = word.split_once('=')?;
    let mut numbers = place.split('.');
    let mut number = || numbers.next()?.parse::<usize>().ok();
    Some(Trouble {
        step: number()?,
        message: number()?,
        times: number()? as u32,
        kind: match kind {
            "cut" => Kind::Cut,
            "silence" => Kind::Silence,
            "stall" => Kind::Stall,
            "refusal" => Kind::Refusal,
            "safeguards" => Kind::Safeguards,
            "idle" => Kind::Idle,
            "too-long" => Kind::TooLong,
            "garbage" => Kind::Garbage,
            status => Kind::Status(status.parse().ok()?),
        },
    })
}
