//! The values of a message as they refer to each other, and how one becomes a tree.
//!
//! References may repeat a value any number of times and may go in circles, so a few bytes can mean more than any memory
//! holds. They stay references until a value is handed out; what is repeated then is counted against the limits.

use crate::amf0::Value;

/// A stretch of the message: start and length.
pub(super) type Span = (usize, usize);

/// Where a node lies in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A value without text and parts.
    Plain(Value),
    Text(Span),
    Xml(Span),
    Bytes(Span),
    List(Vec<NodeId>),
    Map(Vec<(Name, NodeId)>),
    Object {
        class: Span,
        fields: Vec<(Name, NodeId)>,
    },
    /// An externalizable wrapper around one value.
    Wrapper(NodeId),
}

#[derive(Clone, Debug)]
pub(super) enum Name {
    Span(Span),
    Owned(String),
}

/// What repeating may still cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) nodes: u32,
    pub(super) text: usize,
    pub(super) depth_max: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Each node, and whether it was handed out before.
    nodes: Vec<(Node, bool)>,
}

impl Graph {
    pub(super) fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push((node, false));
        NodeId(self.nodes.len() - 1)
    }

    pub(super) fn set(&mut self, id: NodeId, node: Node) {
        if let Some(slot) = self.nodes.get_mut(id.0) {
            slot.0 = node;
        }
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0).map(|(node, _)| node)
    }

    /// The tree below a node. `bytes` is the message.
    pub(super) fn tree(
        &mut self,
        id: NodeId,
        depth: u32,
        bytes: &[u8],
        budget: &mut Budget,
    ) -> Result<Value, &'static str> {
        let Some((node, used)) = self.nodes.get_mut(id.0) else {
            return Err("a reference that leads nowhere");
        };
        let again = std::mem::replace(used, true);
        if again {
            budget.nodes = budget
                .nodes
                .checked_sub(1)
                .ok_or("more values than the limit of AMF nodes, references counted")?;
        }
        // A copy of a node is a copy of indices, not of what they lead to.
        let node = node.clone();
        let mut text = |span: Span| -> Result<String, &'static str> {
            if again {
                budget.text = budget
                    .text
                    .checked_sub(span.1)
                    .ok_or("references repeat more text than the limit")?;
            }
            Ok(String::from_utf8_lossy(slice(bytes, span)).into_owned())
        };
        match node {
            Node::Plain(value) => Ok(value),
            Node::Text(span) => text(span).map(Value::String),
            Node::Xml(span) => text(span).map(Value::Xml),
            Node::Bytes(span) => {
                text(span)?;
                Ok(Value::ByteArray(slice(bytes, span).to_vec()))
            }
            _ if depth >= budget.depth_max => {
                Err("nested deeper than the limit of AMF depth, or in a circle")
            }
            Node::Wrapper(inner) => self.tree(inner, depth + 1, bytes, budget),
            Node::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.push(self.tree(item, depth + 1, bytes, budget)?);
                }
                Ok(Value::StrictArray(list))
            }
            Node::Map(fields) => {
                let fields = named(fields, &mut text)?;
                Ok(Value::EcmaArray(
                    self.members(fields, depth, bytes, budget)?,
                ))
            }
            Node::Object { class, fields } => {
                let class = text(class)?;
                let fields = named(fields, &mut text)?;
                let fields = self.members(fields, depth, bytes, budget)?;
                Ok(match class.is_empty() {
                    true => Value::Object(fields),
                    false => Value::TypedObject { class, fields },
                })
            }
        }
    }

    fn members(
        &mut self,
        fields: Vec<(String, NodeId)>,
        depth: u32,
        bytes: &[u8],
        budget: &mut Budget,
    ) -> Result<Vec<(String, Value)>, &'static str> {
        let mut members = Vec::new();
        for (name, id) in fields {
            members.push((name, self.tree(id, depth + 1, bytes, budget)?));
        }
        Ok(members)
    }
}

fn named(
    fields: Vec<(Name, NodeId)>,
    text: &mut impl FnMut(Span) -> Result<String, &'static str>,
) -> Result<Vec<(String, NodeId)>, &'static str> {
    let name = |name| match name {
        Name::Span(span) => text(span),
        Name::Owned(name) => Ok(name),
    };
    let (names, ids): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let names: Result<Vec<_>, _> = names.into_iter().map(name).collect();
    Ok(names?.into_iter().zip(ids).collect())
}

pub(super) fn slice(bytes: &[u8], (start, len): Span) -> &[u8] {
    bytes
        .get(start..start.saturating_add(len))
        .unwrap_or_default()
}
