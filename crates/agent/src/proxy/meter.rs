//! Tokens as the model's server counts them, read from its replies while they pass.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Vendor;
use crate::Usage;

/// What is known of one reply's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// The vendor told the final count.
    Whole(Usage),
    /// The stream ended before that: at least so many.
    AtLeast(Usage),
    /// A reply that costs nothing: an error, or a question for a count.
    Nothing,
    /// A reply that costs, of which the count could not be read.
    Unread,
}

impl Counted {
    /// The tokens that are known of.
    pub fn usage(self) -> Usage {
        match self {
            Self::Whole(usage) | Self::AtLeast(usage) => usage,
            Self::Nothing | Self::Unread => Usage::default(),
        }
    }
}

/// `response.completed` repeats the whole answer; nothing of a vendor's comes near this.
const LARGEST_EVENT: usize = 16 << 20;

/// Reads one reply.
#[derive(Debug)]
pub(super) struct Meter {
    vendor: Vendor,
    form: Form,
    line: Vec<u8>,
    data: Vec<u8>,
    usage: Option<Usage>,
    is_whole: bool,
    pub(super) model: Option<String>,
    /// Why the model stopped, in the vendor's word.
    pub(super) stop: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Events,
    Json,
    /// Compressed, or something else.
    Opaque,
    /// An error, or a reply that is free.
    Free,
}

impl Meter {
    pub(super) fn new(vendor: Vendor, form: Form) -> Self {
        Self {
            vendor,
            form,
            line: Vec::new(),
            data: Vec::new(),
            usage: None,
            is_whole: false,
            model: None,
            stop: None,
        }
    }

    pub(super) fn read(&mut self, chunk: &[u8]) {
        match self.form {
            Form::Events => {
                for byte in chunk {
                    if *byte == b'\n' {
                        self.line_ended();
                    } else if self.line.len() < LARGEST_EVENT {
                        self.line.push(*byte);
                    }
                }
            }
            Form::Json => {
                let room = LARGEST_EVENT.saturating_sub(self.data.len());
                self.data.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Form::Opaque | Form::Free => {}
        }
    }

    fn line_ended(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            self.event(&data);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.strip_prefix(b" ").unwrap_or(data);
            if self.data.len() + data.len() < LARGEST_EVENT {
                self.data.extend_from_slice(data);
                self.data.push(b'\n');
            }
        }
    }

    fn event(&mut self, data: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Value>(data) else {
            return;
        };
        let kind = event["type"].as_str().unwrap_or_default();
        match self.vendor {
            Vendor::Anthropic => match kind {
                "message_start" => self.message(&event["message"]),
                "message_delta" => {
                    self.add(&event["usage"]);
                    self.stopped(&event["delta"]["stop_reason"]);
                    // `message_stop` brings nothing more; a stream that is cut before it is paid for all the same.
                    self.is_whole |= event["usage"]["output_tokens"].is_u64();
                }
                _ => {}
            },
            Vendor::OpenAi => {
                let response = &event["response"];
                if let Some(name) = response["model"].as_str() {
                    self.model = Some(name.to_owned());
                }
                if matches!(
                    kind,
                    "response.completed" | "response.incomplete" | "response.failed"
                ) {
                    self.message(response);
                    self.is_whole = response["usage"]["output_tokens"].is_u64();
                }
            }
            Vendor::OpenAiChat => {
                self.message(&event);
                // The count follows the message's end, or comes with it. Some servers also count on the way.
                self.is_whole |= self.stop.is_some() && event["usage"][self.output()].is_u64();
            }
        }
    }

    /// What the vendor calls the tokens that were written.
    fn output(&self) -> &'static str {
        match self.vendor {
            Vendor::Anthropic | Vendor::OpenAi => "output_tokens",
            Vendor::OpenAiChat => "completion_tokens",
        }
    }

    /// A whole message or response, or the head of one.
    fn message(&mut self, message: &Value) {
        if let Some(name) = message["model"].as_str() {
            self.model = Some(name.to_owned());
        }
        self.stopped(&message["stop_reason"]);
        match self.vendor {
            Vendor::Anthropic => {}
            Vendor::OpenAi => self.stopped(&message["status"]),
            Vendor::OpenAiChat => self.stopped(&message["choices"][0]["finish_reason"]),
        }
        self.add(&message["usage"]);
    }

    fn stopped(&mut self, why: &Value) {
        if let Some(why) = why.as_str() {
            self.stop = Some(why.to_owned());
        }
    }

    /// The later count of one message replaces the earlier: within a message they are cumulative.
    fn add(&mut self, told: &Value) {
        if !told.is_object() {
            return;
        }
        let usage = self.usage.get_or_insert_default();
        let set = |at: &mut u64, value: &Value| {
            if let Some(number) = value.as_u64() {
                *at = number;
            }
        };
        match self.vendor {
            Vendor::Anthropic => {
                set(&mut usage.input, &told["input_tokens"]);
                set(&mut usage.cache_read, &told["cache_read_input_tokens"]);
                set(&mut usage.cache_write, &told["cache_creation_input_tokens"]);
                set(&mut usage.output, &told["output_tokens"]);
            }
            Vendor::OpenAi => {
                let (mut all, details) = (0, &told["input_tokens_details"]);
                set(&mut all, &told["input_tokens"]);
                set(&mut usage.cache_read, &details["cached_tokens"]);
                set(&mut usage.cache_write, &details["cache_write_tokens"]);
                usage.input = all.saturating_sub(usage.cache_read + usage.cache_write);
                set(&mut usage.output, &told["output_tokens"]);
                let reasoning = &told["output_tokens_details"]["reasoning_tokens"];
                set(&mut usage.reasoning, reasoning);
            }
            Vendor::OpenAiChat => {
                let (mut all, details) = (0, &told["prompt_tokens_details"]);
                set(&mut all, &told["prompt_tokens"]);
                set(&mut usage.cache_read, &details["cached_tokens"]);
                usage.input = all.saturating_sub(usage.cache_read);
                set(&mut usage.output, &told["completion_tokens"]);
                let reasoning = &told["completion_tokens_details"]["reasoning_tokens"];
                set(&mut usage.reasoning, reasoning);
            }
        }
    }

    /// `ended`: the reply came to its own end.
    pub(super) fn end(&mut self, ended: bool) -> Counted {
        match self.form {
            Form::Free => return Counted::Nothing,
            Form::Opaque => return Counted::Unread,
            Form::Events => {
                self.line_ended();
                self.line_ended();
            }
            Form::Json => {
                if let Ok(message) = serde_json::from_slice::<Value>(&self.data) {
                    self.message(&message);
                    self.is_whole = ended && message["usage"][self.output()].is_u64();
                }
            }
        }
        match self.usage {
            Some(usage) if self.is_whole => Counted::Whole(usage),
            Some(usage) => Counted::AtLeast(usage),
            None => Counted::Unread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-x\",\"stop_reason\":null,",
        "\"usage\":{\"input_tokens\":100,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":11,\"output_tokens\":1}}}\n\n",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",",
        "\"text\":\"\\\"usage\\\":{\\\"output_tokens\\\":999}\"}}\n\n",
        "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":50}}\r\n\r\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    const RESPONSE: &str = concat!(
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"gpt-x\",\"usage\":null}}\n\n",
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-x\",\"status\":\"completed\",\"usage\":{\"input_tokens\":1300,",
        "\"input_tokens_details\":{\"cached_tokens\":1000},\"output_tokens\":60,\"output_tokens_details\":{\"reasoning_tokens\":40},",
        "\"total_tokens\":1360}}}\n\n",
    );

    const CHAT: &str = concat!(
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m-2\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},",
        "\"finish_reason\":null}],\"usage\":null}\n\n",
        ": a comment\n\n",
        "data: {\"id\":\"c\",\"model\":\"m-2\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        "data: {\"id\":\"c\",\"model\":\"m-2\",\"choices\":[],\"usage\":{\"prompt_tokens\":1300,\"completion_tokens\":60,\"total_tokens\":1360,",
        "\"prompt_tokens_details\":{\"cached_tokens\":1000},\"completion_tokens_details\":{\"reasoning_tokens\":40}}}\n\n",
        "data: [DONE]\n\n",
    );

    fn of(vendor: Vendor, form: Form, text: &str, size: usize, ended: bool) -> Counted {
        let mut meter = Meter::new(vendor, form);
        for piece in text.as_bytes().chunks(size) {
            meter.read(piece);
        }
        meter.end(ended)
    }

    #[test]
    fn streams_are_counted_however_they_are_cut_into_pieces() {
        let message = Usage {
            input: 100,
            cache_read: 11,
            cache_write: 7,
            output: 50,
            reasoning: 0,
        };
        let response = Usage {
            input: 300,
            cache_read: 1000,
            cache_write: 0,
            output: 60,
            reasoning: 40,
        };
        for size in [1, 2, 3, 7, 64, 100_000] {
            assert_eq!(
                of(Vendor::Anthropic, Form::Events, MESSAGE, size, true),
                Counted::Whole(message)
            );
            assert_eq!(
                of(Vendor::OpenAi, Form::Events, RESPONSE, size, true),
                Counted::Whole(response)
            );
            assert_eq!(
                of(Vendor::OpenAiChat, Form::Events, CHAT, size, true),
                Counted::Whole(response)
            );
        }
    }

    #[test]
    fn a_chat_without_a_count_is_unknown_and_one_on_the_way_is_not_the_end() {
        let told =
            CHAT.find("\"reasoning_tokens\":40").unwrap() + "\"reasoning_tokens\":40}}}".len();
        for length in 0..CHAT.len() {
            let counted = of(Vendor::OpenAiChat, Form::Events, &CHAT[..length], 5, false);
            match counted {
                Counted::Whole(usage) => assert!(length >= told && usage.output == 60),
                Counted::Unread => assert!(length < told, "{length}"),
                Counted::AtLeast(_) | Counted::Nothing => panic!("{length}: {counted:?}"),
            }
        }
        let without: String = CHAT
            .lines()
            .filter(|line| !line.contains("1300"))
            .collect::<Vec<_>>()
            .join("\n");
        let mut meter = Meter::new(Vendor::OpenAiChat, Form::Events);
        meter.read(without.as_bytes());
        assert_eq!(meter.end(true), Counted::Unread);
        assert_eq!(
            (meter.stop.as_deref(), meter.model.as_deref()),
            (Some("tool_calls"), Some("m-2"))
        );
        let on_the_way = CHAT.replacen(
            "\"usage\":null",
            "\"usage\":{\"prompt_tokens\":1300,\"completion_tokens\":1}",
            1,
        );
        let begun = &on_the_way[..on_the_way.find(": a comment").unwrap()];
        let usage = Usage {
            input: 1300,
            output: 1,
            ..Usage::default()
        };
        assert_eq!(
            of(Vendor::OpenAiChat, Form::Events, begun, 5, false),
            Counted::AtLeast(usage)
        );
        let whole = r#"{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        let usage = Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        };
        assert_eq!(
            of(Vendor::OpenAiChat, Form::Json, whole, 7, true),
            Counted::Whole(usage)
        );
        let without = r#"{"model":"m","choices":[{"finish_reason":"stop"}]}"#;
        assert_eq!(
            of(Vendor::OpenAiChat, Form::Json, without, 7, true),
            Counted::Unread
        );
    }

    #[test]
    fn a_stream_cut_anywhere_is_never_more_than_it_was_and_never_whole_too_early() {
        let told = MESSAGE.find("\"output_tokens\":50").unwrap() + "\"output_tokens\":50}}".len();
        for length in 0..MESSAGE.len() {
            let counted = of(
                Vendor::Anthropic,
                Form::Events,
                &MESSAGE[..length],
                5,
                false,
            );
            match counted {
                Counted::Whole(usage) => assert!(length >= told && usage.output == 50),
                Counted::AtLeast(usage) => assert_eq!((usage.input, usage.output), (100, 1)),
                Counted::Unread => assert!(length < MESSAGE.find("event: ping").unwrap()),
                Counted::Nothing => panic!("a paid reply was said to be free"),
            }
        }
        let half = RESPONSE.len() - 40;
        assert_eq!(
            of(Vendor::OpenAi, Form::Events, &RESPONSE[..half], 9, false),
            Counted::Unread
        );
    }

    #[test]
    fn replies_that_are_no_streams() {
        let message = r#"{"type":"message","model":"claude-x","stop_reason":"refusal","usage":{"input_tokens":3,"output_tokens":4}}"#;
        let usage = Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        };
        let whole = Counted::Whole(usage);
        assert_eq!(of(Vendor::Anthropic, Form::Json, message, 10, true), whole);
        let half = &message[..60];
        let unread = of(Vendor::Anthropic, Form::Json, half, 10, false);
        assert_eq!(unread, Counted::Unread);
        assert_eq!(
            of(Vendor::Anthropic, Form::Opaque, message, 10, true),
            Counted::Unread
        );
        assert_eq!(
            of(Vendor::Anthropic, Form::Free, message, 10, true),
            Counted::Nothing
        );
        for hostile in [
            "[]",
            "{\"usage\":[]}",
            "null",
            "{\"usage\":{\"input_tokens\":-1}}",
        ] {
            let counted = of(Vendor::OpenAi, Form::Json, hostile, 3, true);
            assert_eq!(counted.usage(), Usage::default());
        }
    }
}
