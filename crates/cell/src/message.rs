//! What the tool and the holder say to each other over their socket pair: frames of a length and a body,
//! a file descriptor riding on a frame's first byte where a socket is handed out.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::{Exit, Killed, Level, Limits, Network, Spec};

/// Tool and holder are the same binary except in tests, where an old `cell-holder` may lie about: a change
/// to this file is another version.
const VERSION: u64 = fingerprint(include_bytes!("message.rs"));
const LARGEST_FRAME: u64 = 64 << 20;

/// All that the holder is told before it starts the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) spec: Spec,
    pub(crate) level: Level,
    /// The spare user to become, when we are root.
    pub(crate) become_user: Option<u32>,
    /// Who the command sees itself as, when we are not root and the box had to call us that.
    pub(crate) shown_user: Option<(u32, u32)>,
    pub(crate) unshare: PathBuf,
    /// The file that counts how often the kernel found no memory for the command.
    pub(crate) out_of_memory: Option<PathBuf>,
    /// Names under which something readable was given, and where it really is.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Status,
    /// The status with the CPU time, which takes a look at every process.
    Usage,
    Socket(IpAddr),
    /// The next of the listening sockets that the setup named.
    Listener,
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The command runs; how the box turned out.
    Started(Vec<String>),
    /// The box could not be made.
    NoBox(String),
    /// The box is there, the program is not.
    NoStart(String),
    Status(Status),
    Socket,
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Status {
    pub(crate) exit: Option<Exit>,
    pub(crate) cpu: Option<Duration>,
    /// Bytes that the command wrote, kept or not.
    pub(crate) output: u64,
}

/// FNV-1a.
const fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Sends one frame, with `descriptor` riding on it.
pub(crate) fn send(
    stream: &UnixStream,
    body: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut frame = (body.len() as u64).to_le_bytes().to_vec();
    frame.extend_from_slice(body);
    let sent = match &descriptor {
        None => 0,
        Some(descriptor) => {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(
                descriptor,
            )));
            rustix::net::sendmsg(
                stream.as_fd(),
                &[IoSlice::new(&frame)],
                &mut control,
                SendFlags::empty(),
            )?
        }
    };
    (&mut &*stream).write_all(&frame[sent..])
}

/// Receives one frame; `None` when the other end is gone.
pub(crate) fn receive(stream: &UnixStream) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut head = [0; 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        let received = rustix::net::recvmsg(
            stream.as_fd(),
            &mut [IoSliceMut::new(&mut head)],
            &mut control,
            receive_flags(),
        );
        match received {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(received) => break received.bytes,
        }
    };
    if got == 0 {
        return Ok(None);
    }
    let mut descriptor = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
            descriptor = descriptors.next();
        }
    }
    (&mut &*stream).read_exact(&mut head[got..])?;
    let length = u64::from_le_bytes(head);
    if length > LARGEST_FRAME {
        return Err(malformed());
    }
    let mut body = vec![0; length as usize];
    (&mut &*stream).read_exact(&mut body)?;
    Ok(Some((body, descriptor)))
}

#[cfg(target_os = "linux")]
fn receive_flags() -> RecvFlags {
    RecvFlags::CMSG_CLOEXEC
}

#[cfg(not(target_os = "linux"))]
fn receive_flags() -> RecvFlags {
    RecvFlags::empty()
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "tool and holder do not speak the same version: build both anew",
    )
}

#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
        self
    }

    fn option(&mut self, number: Option<u64>) -> &mut Self {
        match number {
            None => self.number(0),
            Some(number) => self.number(1).number(number),
        }
    }
}

struct Decoder<'a>(&'a [u8]);

impl Decoder<'_> {
    fn number(&mut self) -> io::Result<u64> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*head))
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = self.number()? as usize;
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(head.to_vec())
    }

    fn words(&mut self) -> io::Result<OsString> {
        Ok(OsString::from_vec(self.bytes()?))
    }

    fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| malformed())
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.number()?).map(|_| each(self)).collect()
    }

    fn option(&mut self) -> io::Result<Option<u64>> {
        Ok(match self.number()? {
            0 => None,
            _ => Some(self.number()?),
        })
    }
}

impl Setup {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Spec {
            command,
            env,
            cwd,
            root,
            read,
            hide,
            limits,
            network,
            listen,
        } = &self.spec;
        let mut to = Encoder::default();
        to.number(VERSION)
            .list(command, |to, word| {
                to.bytes(word.as_bytes());
            })
            .list(env, |to, (name, value)| {
                to.bytes(name.as_bytes()).bytes(value.as_bytes());
            })
            .bytes(cwd.as_os_str().as_bytes())
            .bytes(root.as_os_str().as_bytes());
        for paths in [read, hide] {
            to.list(paths, |to, path| {
                to.bytes(path.as_os_str().as_bytes());
            });
        }
        to.number(limits.memory)
            .number(limits.processes)
            .number(limits.file_size)
            .number(limits.disk)
            .number(limits.log)
            .number(limits.open_files)
            .number(limits.cpu.as_secs())
            .number(u64::from(*network == Network::Host))
            .number(u64::from(self.level == Level::Boxed))
            .option(self.become_user.map(u64::from))
            .option(self.shown_user.map(|(user, _)| u64::from(user)))
            .option(self.shown_user.map(|(_, group)| u64::from(group)))
            .bytes(self.unshare.as_os_str().as_bytes())
            .list(self.out_of_memory.as_slice(), |to, path| {
                to.bytes(path.as_os_str().as_bytes());
            })
            .list(&self.links, |to, (name, target)| {
                to.bytes(name.as_os_str().as_bytes())
                    .bytes(target.as_os_str().as_bytes());
            })
            .list(listen, |to, address| {
                to.bytes(address.to_string().as_bytes());
            });
        to.0
    }

    pub(crate) fn decode(body: &[u8]) -> io::Result<Self> {
        let mut from = Decoder(body);
        if from.number()? != VERSION {
            return Err(malformed());
        }
        let path = |from: &mut Decoder<'_>| from.words().map(PathBuf::from);
        let mut spec = Spec {
            command: from.list(Decoder::words)?,
            env: from.list(|from| Ok((from.words()?, from.words()?)))?,
            cwd: path(&mut from)?,
            root: path(&mut from)?,
            read: from.list(path)?,
            hide: from.list(path)?,
            limits: Limits {
                memory: from.number()?,
                processes: from.number()?,
                file_size: from.number()?,
                disk: from.number()?,
                log: from.number()?,
                open_files: from.number()?,
                cpu: Duration::from_secs(from.number()?),
            },
            network: if from.number()? == 1 {
                Network::Host
            } else {
                Network::Loopback
            },
            listen: Vec::new(),
        };
        let level = if from.number()? == 1 {
            Level::Boxed
        } else {
            Level::Plain
        };
        let become_user = from.option()?.map(|user| user as u32);
        let shown_user = from.option()?.zip(from.option()?);
        let unshare = path(&mut from)?;
        let out_of_memory = from.list(path)?.pop();
        let links = from.list(|from| Ok((path(from)?, path(from)?)))?;
        spec.listen = from.list(|from| from.text()?.parse().map_err(|_| malformed()))?;
        Ok(Self {
            spec,
            level,
            become_user,
            shown_user: shown_user.map(|(user, group)| (user as u32, group as u32)),
            unshare,
            out_of_memory,
            links,
        })
    }
}

impl Request {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut to = Encoder::default();
        match self {
            Self::Status => to.number(0),
            Self::End => to.number(1),
            Self::Usage => to.number(4),
            Self::Listener => to.number(5),
            Self::Socket(IpAddr::V4(from)) => to.number(2).number(u64::from(from.to_bits())),
            Self::Socket(IpAddr::V6(from)) => to.number(3).bytes(&from.octets()),
        };
        to.0
    }

    pub(crate) fn decode(body: &[u8]) -> io::Result<Self> {
        let mut from = Decoder(body);
        match from.number()? {
            0 => Ok(Self::Status),
            1 => Ok(Self::End),
            4 => Ok(Self::Usage),
            5 => Ok(Self::Listener),
            2 => Ok(Self::Socket(IpAddr::V4((from.number()? as u32).into()))),
            3 => {
                let octets: [u8; 16] = from.bytes()?.try_into().map_err(|_| malformed())?;
                Ok(Self::Socket(IpAddr::V6(Ipv6Addr::from(octets))))
            }
            _ => Err(malformed()),
        }
    }
}

const KILLED: [Killed; 6] = [
    Killed::Memory,
    Killed::Processes,
    Killed::Disk,
    Killed::Cpu,
    Killed::Ended,
    Killed::Holder,
];

impl Reply {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        match self {
            Self::Started(details) => to.number(0).list(details, |to, detail| {
                to.bytes(detail.as_bytes());
            }),
            Self::NoBox(why) => to.number(1).bytes(why.as_bytes()),
            Self::NoStart(why) => to.number(2).bytes(why.as_bytes()),
            Self::Failed(why) => to.number(3).bytes(why.as_bytes()),
            Self::Socket => to.number(4),
            Self::Status(status) => {
                to.number(5)
                    .option(status.cpu.map(|cpu| cpu.as_micros() as u64))
                    .number(status.output);
                match status.exit {
                    None => to.number(0),
                    Some(exit) => to
                        .number(1)
                        .option(exit.code.map(|code| u64::from(code.cast_unsigned())))
                        .option(exit.signal.map(|signal| u64::from(signal.cast_unsigned())))
                        .option(exit.killed.and_then(|killed| {
                            KILLED.iter().position(|k| *k == killed).map(|k| k as u64)
                        })),
                }
            }
        };
        to.0
    }

    pub(crate) fn decode(body: &[u8]) -> io::Result<Self> {
        let mut from = Decoder(body);
        Ok(match from.number()? {
            0 => Self::Started(from.list(Decoder::text)?),
            1 => Self::NoBox(from.text()?),
            2 => Self::NoStart(from.text()?),
            3 => Self::Failed(from.text()?),
            4 => Self::Socket,
            5 => Self::Status(Status {
                cpu: from.option()?.map(Duration::from_micros),
                output: from.number()?,
                exit: match from.number()? {
                    0 => None,
                    _ => Some(Exit {
                        code: from.option()?.map(|code| (code as u32).cast_signed()),
                        signal: from.option()?.map(|signal| (signal as u32).cast_signed()),
                        killed: match from.option()? {
                            None => None,
                            Some(killed) => {
                                Some(*KILLED.get(killed as usize).ok_or_else(malformed)?)
                            }
                        },
                    }),
                },
            }),
            _ => return Err(malformed()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_survives_the_way_to_the_holder() {
        let mut spec = Spec::new("/r\u{f6}ot", ["a", "", "b c"]);
        spec.env = vec![(OsString::from_vec(vec![0xff]), "x=y\n".into())];
        spec.read = vec!["/a".into(), "/b".into()];
        spec.hide = vec!["/h".into()];
        spec.network = Network::Host;
        spec.listen = vec!["127.0.0.1:80".parse().unwrap(), "[::1]:9".parse().unwrap()];
        let setup = Setup {
            spec,
            level: Level::Boxed,
            become_user: Some(60_001),
            shown_user: Some((1000, 100)),
            unshare: "/usr/bin/unshare".into(),
            out_of_memory: Some("/sys/x".into()),
            links: vec![("/v".into(), "/w".into())],
        };
        assert_eq!(Setup::decode(&setup.encode()).unwrap(), setup);
    }

    #[test]
    fn replies_and_requests_survive() {
        for killed in KILLED.map(Some).into_iter().chain([None]) {
            for (code, signal) in [(Some(-1), None), (None, Some(9)), (None, None)] {
                let reply = Reply::Status(Status {
                    exit: Some(Exit {
                        code,
                        signal,
                        killed,
                    }),
                    cpu: Some(Duration::from_micros(17)),
                    output: u64::MAX,
                });
                assert_eq!(Reply::decode(&reply.encode()).unwrap(), reply);
            }
        }
        for from in ["127.3.2.1", "::1"] {
            let request = Request::Socket(from.parse().unwrap());
            assert_eq!(Request::decode(&request.encode()).unwrap(), request);
        }
    }

    #[test]
    fn a_cut_or_foreign_message_is_an_error() {
        let body = Reply::Started(vec!["detail".into()]).encode();
        for end in 0..body.len() {
            assert!(Reply::decode(&body[..end]).is_err());
        }
        assert!(Request::decode(&9_u64.to_le_bytes()).is_err());
        assert!(Setup::decode(&u64::MAX.to_le_bytes()).is_err());
    }
}
