//! The bounded AMF3 reader.

use std::sync::Arc;

use core_frame::Limits;

use super::graph::{Budget, Graph, Name, Node, NodeId, Span, slice};
use super::marker;
use crate::amf0::{DEPTH_CEILING, Error, Value};
use crate::input::Input;

/// Text that references may repeat, in longest strings.
const REPEATED_STRINGS: usize = 4;

/// Externalizable classes whose whole content is one value (Flex's wrappers of arrays and objects).
const WRAPPERS: [&[u8]; 3] = [
    b"flex.messaging.io.ArrayCollection",
    b"flex.messaging.io.ArrayList",
    b"flex.messaging.io.ObjectProxy",
];

/// What an object's members are called (§3.12).
#[derive(Clone, Debug)]
struct Traits {
    class: Span,
    names: Vec<Span>,
    is_dynamic: bool,
    is_external: bool,
}

/// The first number of a value that may be a reference (`U29O-ref` and the like).
enum Head {
    /// A value that was read before.
    Known(NodeId),
    /// A new one, with what the number says beside.
    New(u32),
}

/// Reads AMF3 values one after the other. They share the tables of strings, objects and traits that references count in.
///
/// Depth, values in all and lengths are bounded as in [`crate::amf0::Reader`]. What a reference repeats counts as if it
/// stood there: values against [`Limits::amf_nodes`], text against four times [`Limits::amf_string_bytes`]. An object that
/// contains itself is refused.
///
/// As an iterator it ends after the first error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: Input<'a>,
    budget: Budget,
    string_max: usize,
    strings: Vec<Span>,
    objects: Vec<NodeId>,
    traits: Vec<Arc<Traits>>,
    graph: Graph,
    failed: bool,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        let string_max = limits.amf_string_bytes as usize;
        let depth_max = limits.amf_depth.min(DEPTH_CEILING);
        Self::within(bytes, depth_max, string_max, limits.amf_nodes)
    }

    pub(crate) fn within(bytes: &'a [u8], depth_max: u32, string_max: usize, nodes: u32) -> Self {
        Self {
            input: Input::new(bytes, "the message ends inside an AMF3 value"),
            budget: Budget {
                nodes,
                text: string_max.saturating_mul(REPEATED_STRINGS),
                depth_max,
            },
            string_max,
            strings: Vec::new(),
            objects: Vec::new(),
            traits: Vec::new(),
            graph: Graph::default(),
            failed: false,
        }
    }

    /// The next value.
    ///
    /// # Errors
    /// The bytes end inside the value, break AMF3, hold an externalizable object other than Flex's wrappers (only its
    /// class knows how it is written) or a dictionary with keys that are no names, or pass a limit.
    pub fn read(&mut self) -> Result<Value, Error> {
        let start = self.input.at;
        let id = self.value(0)?;
        self.tree(id, 0, start)
    }

    /// The value at `at`, `depth` levels below the top, for at most `nodes` values; with it the place behind it and what
    /// is left of `nodes`.
    pub(crate) fn read_at(
        &mut self,
        at: usize,
        depth: u32,
        nodes: u32,
    ) -> Result<(Value, usize, u32), Error> {
        self.input.at = at;
        self.budget.nodes = nodes;
        let id = self.value(depth)?;
        let value = self.tree(id, depth, at)?;
        Ok((value, self.input.at, self.budget.nodes))
    }

    /// True when all bytes are read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.input.at
    }

    fn tree(&mut self, id: NodeId, depth: u32, offset: usize) -> Result<Value, Error> {
        self.graph
            .tree(id, depth, self.input.bytes, &mut self.budget)
            .map_err(|rule| Error { offset, rule })
    }

    fn value(&mut self, depth: u32) -> Result<NodeId, Error> {
        let start = self.input.at;
        let fail = |rule| Error {
            offset: start,
            rule,
        };
        self.budget.nodes = self
            .budget
            .nodes
            .checked_sub(1)
            .ok_or(fail("more values than the limit of AMF nodes"))?;
        let node = match self.input.u8()? {
            marker::UNDEFINED => Node::Plain(Value::Undefined),
            marker::NULL => Node::Plain(Value::Null),
            marker::FALSE => Node::Plain(Value::Boolean(false)),
            marker::TRUE => Node::Plain(Value::Boolean(true)),
            marker::INTEGER => {
                // 29 bits with sign.
                let n = (self.u29()? << 3).cast_signed() >> 3;
                Node::Plain(Value::Number(f64::from(n)))
            }
            marker::DOUBLE => Node::Plain(Value::Number(self.input.f64()?)),
            marker::STRING => Node::Text(self.string()?),
            marker::XML_DOCUMENT | marker::XML => return self.flat(Node::Xml),
            marker::BYTE_ARRAY => return self.flat(Node::Bytes),
            marker::DATE => return self.date(),
            marker::ARRAY
            | marker::OBJECT
            | marker::VECTOR_INT
            | marker::VECTOR_UINT
            | marker::VECTOR_DOUBLE
            | marker::VECTOR_OBJECT
            | marker::DICTIONARY
                if depth >= self.budget.depth_max =>
            {
                return Err(fail("nested deeper than the limit of AMF depth"));
            }
            marker::ARRAY => return self.array(depth),
            marker::OBJECT => return self.object(depth),
            marker::DICTIONARY => return self.dictionary(depth),
            kind @ marker::VECTOR_INT..=marker::VECTOR_OBJECT => return self.vector(kind, depth),
            _ => return Err(fail("unknown AMF3 type marker (AMF3 §3.1)")),
        };
        Ok(self.graph.push(node))
    }

    /// A node that later references can mean, to be filled in.
    fn begin(&mut self) -> NodeId {
        let id = self.graph.push(Node::Plain(Value::Null));
        self.objects.push(id);
        id
    }

    fn head(&mut self) -> Result<Head, Error> {
        let start = self.input.at;
        let n = self.u29()?;
        if n & 1 == 1 {
            return Ok(Head::New(n >> 1));
        }
        let known = self.objects.get((n >> 1) as usize);
        known.map(|id| Head::Known(*id)).ok_or(Error {
            offset: start,
            rule: "an AMF3 reference to an object that did not come (AMF3 §2.2)",
        })
    }

    /// XML and byte arrays: a length and as many bytes (§3.7, §3.9, §3.14).
    fn flat(&mut self, node: fn(Span) -> Node) -> Result<NodeId, Error> {
        let len = match self.head()? {
            Head::Known(id) => return Ok(id),
            Head::New(len) => len as usize,
        };
        let span = self.text(len)?;
        let id = self.begin();
        self.graph.set(id, node(span));
        Ok(id)
    }

    /// §3.10.
    fn date(&mut self) -> Result<NodeId, Error> {
        if let Head::Known(id) = self.head()? {
            return Ok(id);
        }
        let unix_ms = self.input.f64()?;
        let id = self.begin();
        let date = Value::Date { unix_ms, zone: 0 };
        self.graph.set(id, Node::Plain(date));
        Ok(id)
    }

    /// §3.11: named members up to an empty name, then the dense part.
    fn array(&mut self, depth: u32) -> Result<NodeId, Error> {
        let count = match self.head()? {
            Head::Known(id) => return Ok(id),
            Head::New(count) => count,
        };
        let id = self.begin();
        let mut fields = self.dynamic(depth)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        let node = if fields.is_empty() {
            Node::List(items)
        } else {
            let dense = items.into_iter().enumerate();
            fields.extend(dense.map(|(n, item)| (Name::Owned(n.to_string()), item)));
            Node::Map(fields)
        };
        self.graph.set(id, node);
        Ok(id)
    }

    /// Names and values up to an empty name.
    fn dynamic(&mut self, depth: u32) -> Result<Vec<(Name, NodeId)>, Error> {
        let mut fields = Vec::new();
        loop {
            let name = self.string()?;
            if name.1 == 0 {
                return Ok(fields);
            }
            fields.push((Name::Span(name), self.value(depth + 1)?));
        }
    }

    /// §3.12.
    fn object(&mut self, depth: u32) -> Result<NodeId, Error> {
        let start = self.input.at;
        let fail = |rule| Error {
            offset: start,
            rule,
        };
        let flags = match self.head()? {
            Head::Known(id) => return Ok(id),
            Head::New(flags) => flags,
        };
        let traits = if flags & 1 == 0 {
            let known = self.traits.get((flags >> 1) as usize).cloned();
            let traits = known.ok_or(fail("AMF3 traits that did not come (AMF3 §2.2)"))?;
            for name in traits.names.iter().chain([&traits.class]) {
                self.repeat(*name)?;
            }
            traits
        } else {
            self.traits(flags)?
        };
        let id = self.begin();
        if traits.is_external {
            if !WRAPPERS.contains(&slice(self.input.bytes, traits.class)) {
                return Err(fail(
                    "an externalizable object of an unknown class (AMF3 §3.12)",
                ));
            }
            let inner = self.value(depth + 1)?;
            self.graph.set(id, Node::Wrapper(inner));
            return Ok(id);
        }
        let mut fields = Vec::new();
        for name in &traits.names {
            fields.push((Name::Span(*name), self.value(depth + 1)?));
        }
        if traits.is_dynamic {
            fields.extend(self.dynamic(depth)?);
        }
        let class = traits.class;
        self.graph.set(id, Node::Object { class, fields });
        Ok(id)
    }

    /// `count 25 | dynamic 1 | externalizable 1` with a set bit and two flags behind it, read by [`Self::head`].
    fn traits(&mut self, flags: u32) -> Result<Arc<Traits>, Error> {
        let is_external = flags & 2 != 0;
        let class = self.string()?;
        let mut names = Vec::new();
        let count = if is_external { 0 } else { flags >> 3 };
        for _ in 0..count {
            let offset = self.input.at;
            // Each name will have a value: more names than values are left can come to nothing.
            if names.len() >= self.budget.nodes as usize {
                let rule = "more members than the limit of AMF nodes";
                return Err(Error { offset, rule });
            }
            names.push(self.string()?);
        }
        let traits = Arc::new(Traits {
            class,
            names,
            is_dynamic: !is_external && flags & 4 != 0,
            is_external,
        });
        self.traits.push(Arc::clone(&traits));
        Ok(traits)
    }

    /// §3.15: count, whether the length is fixed, the items.
    fn vector(&mut self, kind: u8, depth: u32) -> Result<NodeId, Error> {
        let count = match self.head()? {
            Head::Known(id) => return Ok(id),
            Head::New(count) => count,
        };
        let id = self.begin();
        self.input.u8()?;
        if kind == marker::VECTOR_OBJECT {
            // The class of the items; each says its own.
            self.string()?;
        }
        let mut items = Vec::new();
        for _ in 0..count {
            if kind == marker::VECTOR_OBJECT {
                items.push(self.value(depth + 1)?);
                continue;
            }
            let offset = self.input.at;
            let rule = "more values than the limit of AMF nodes";
            let left = self.budget.nodes.checked_sub(1);
            self.budget.nodes = left.ok_or(Error { offset, rule })?;
            let number = match kind {
                marker::VECTOR_INT => f64::from(self.input.u32()?.cast_signed()),
                marker::VECTOR_UINT => f64::from(self.input.u32()?),
                _ => self.input.f64()?,
            };
            items.push(self.graph.push(Node::Plain(Value::Number(number))));
        }
        self.graph.set(id, Node::List(items));
        Ok(id)
    }

    /// §3.16: count, whether keys are weak, keys and values in turn.
    fn dictionary(&mut self, depth: u32) -> Result<NodeId, Error> {
        let count = match self.head()? {
            Head::Known(id) => return Ok(id),
            Head::New(count) => count,
        };
        let id = self.begin();
        self.input.u8()?;
        let mut fields = Vec::new();
        for _ in 0..count {
            let offset = self.input.at;
            let key = self.value(depth + 1)?;
            let name = match self.graph.get(key) {
                Some(Node::Text(span)) => Name::Span(*span),
                Some(Node::Plain(Value::Number(n))) => Name::Owned(n.to_string()),
                Some(Node::Plain(Value::Boolean(b))) => Name::Owned(b.to_string()),
                _ => {
                    let rule = "a dictionary key that is no name and no number (AMF3 §3.16)";
                    return Err(Error { offset, rule });
                }
            };
            fields.push((name, self.value(depth + 1)?));
        }
        self.graph.set(id, Node::Map(fields));
        Ok(id)
    }

    /// `UTF-8-vr` (§1.3.2). The empty string never goes into the table.
    fn string(&mut self) -> Result<Span, Error> {
        let start = self.input.at;
        let n = self.u29()?;
        if n & 1 == 0 {
            let known = self.strings.get((n >> 1) as usize).copied();
            let span = known.ok_or(Error {
                offset: start,
                rule: "an AMF3 reference to a string that did not come (AMF3 §2.2)",
            })?;
            self.repeat(span)?;
            return Ok(span);
        }
        let span = self.text((n >> 1) as usize)?;
        if span.1 > 0 {
            self.strings.push(span);
        }
        Ok(span)
    }

    /// Counts text that a reference repeats.
    fn repeat(&mut self, span: Span) -> Result<(), Error> {
        match self.budget.text.checked_sub(span.1) {
            Some(left) => {
                self.budget.text = left;
                Ok(())
            }
            None => Err(self
                .input
                .error("references repeat more text than the limit")),
        }
    }

    fn text(&mut self, len: usize) -> Result<Span, Error> {
        if len > self.string_max {
            return Err(self
                .input
                .error("a string longer than the limit of AMF string bytes"));
        }
        let start = self.input.at;
        self.input.take(len)?;
        Ok((start, len))
    }

    /// Seven bits a byte while the high bit is set, eight in the fourth (§1.3.1).
    fn u29(&mut self) -> Result<u32, Error> {
        let mut n = 0;
        for _ in 0..3 {
            let byte = self.input.u8()?;
            n = n << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Ok(n << 8 | u32::from(self.input.u8()?))
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.is_empty() {
            return None;
        }
        let value = self.read();
        self.failed = value.is_err();
        Some(value)
    }
}
