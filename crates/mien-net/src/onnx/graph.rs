//! Builds a network as a graph of ONNX operators, node by node.

use std::collections::BTreeMap;

use tch::{Kind, TchError, Tensor};

use super::ExportError;
use super::format::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};

/// A tensor in the graph, identified by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

/// A dimension of an input or output tensor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Fixed(i64),
    /// Chosen when the network is run. The name identifies it within the file.
    Free(&'static str),
}

/// An attribute of a node.
pub enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Ints(&'a [i64]),
    Text(&'a str),
}

impl Attribute<'_> {
    fn proto(&self, name: &str) -> AttributeProto {
        let empty = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
        match self {
            Self::Float(f) => AttributeProto { f: Some(*f), r#type: 1, ..empty },
            Self::Int(i) => AttributeProto { i: Some(*i), r#type: 2, ..empty },
            Self::Text(s) => AttributeProto { s: Some(s.as_bytes().to_vec()), r#type: 3, ..empty },
            Self::Ints(ints) => AttributeProto { ints: ints.to_vec(), r#type: 7, ..empty },
        }
    }
}

/// A graph under construction.
#[derive(Default)]
pub struct Graph {
    proto: GraphProto,
    /// Number of nodes of each operator so far, used to name them.
    counts: BTreeMap<&'static str, usize>,
}

impl Graph {
    pub(super) fn new(name: &str) -> Self {
        Self { proto: GraphProto { name: name.to_owned(), ..GraphProto::default() }, counts: BTreeMap::new() }
    }

    pub(super) fn into_proto(self) -> GraphProto {
        self.proto
    }

    /// Adds an input of 32-bit floats.
    pub(super) fn input(&mut self, name: &str, sides: &[Side], about: &str) -> Value {
        self.proto.input.push(described(name, sides, about));
        Value(name.to_owned())
    }

    /// Declares `value` as an output and renames it to `name`.
    pub(super) fn output(&mut self, value: &Value, name: &str, sides: &[Side], about: &str) {
        // The node that produces a value names it, so that node and all uses are renamed.
        let all = self.proto.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for used in all.filter(|used| **used == value.0) {
            name.clone_into(used);
        }
        self.proto.output.push(described(name, sides, about));
    }

    /// Adds a node of `operator` and returns its only output.
    pub fn node(&mut self, operator: &'static str, inputs: &[&Value], attributes: &[(&str, Attribute<'_>)]) -> Value {
        let count = self.counts.entry(operator).or_default();
        *count += 1;
        let name = format!("{}{count}", operator.to_lowercase());
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(|(name, attribute)| attribute.proto(name)).collect(),
        });
        Value(name)
    }

    /// Adds numbers that are part of the model, such as weights.
    ///
    /// # Errors
    /// When libtorch can't copy them.
    pub fn constant(&mut self, numbers: &Tensor) -> Result<Value, TchError> {
        let flat = numbers.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
        let flat: Vec<f32> = flat.try_into()?;
        let name = format!("weight{}", self.proto.initializer.len() + 1);
        self.proto.initializer.push(TensorProto {
            dims: numbers.size(),
            data_type: FLOAT,
            name: name.clone(),
            raw_data: flat.iter().flat_map(|number| number.to_le_bytes()).collect(),
        });
        Ok(Value(name))
    }

    /// Adds a ReLU.
    pub fn relu(&mut self, x: &Value) -> Value {
        self.node("Relu", &[x], &[])
    }

    /// Adds the mean over each map: `[N, C, H, W]` to `[N, C]`.
    pub fn mean_of_maps(&mut self, x: &Value) -> Value {
        let means = self.node("GlobalAveragePool", &[x], &[]);
        self.flatten(&means)
    }

    /// Flattens all dimensions but the first.
    pub fn flatten(&mut self, x: &Value) -> Value {
        self.node("Flatten", &[x], &[("axis", Attribute::Int(1))])
    }

    /// Doubles the height and width of maps by repeating each value.
    ///
    /// # Errors
    /// When libtorch can't copy the scales.
    pub fn doubled(&mut self, x: &Value) -> Result<Value, TchError> {
        let scales = self.constant(&Tensor::from_slice(&[1.0, 1.0, 2.0, 2.0]))?;
        let attributes = [
            ("mode", Attribute::Text("nearest")),
            ("coordinate_transformation_mode", Attribute::Text("asymmetric")),
            ("nearest_mode", Attribute::Text("floor")),
        ];
        // The second input is for another mode. An empty name leaves it out.
        Ok(self.node("Resize", &[x, &Value(String::new()), &scales], &attributes))
    }

    /// Adds a dense layer with a weight `[outputs, inputs]`.
    ///
    /// # Errors
    /// When libtorch can't copy the numbers.
    pub fn dense(&mut self, x: &Value, weight: &Tensor, bias: &Tensor) -> Result<Value, ExportError> {
        let (weight, bias) = (self.constant(weight)?, self.constant(bias)?);
        Ok(self.node("Gemm", &[x, &weight, &bias], &[("transB", Attribute::Int(1))]))
    }
}

fn described(name: &str, sides: &[Side], about: &str) -> ValueInfoProto {
    let dimension = |side: &Side| match side {
        Side::Fixed(value) => DimensionProto { dim_value: Some(*value), dim_param: None },
        Side::Free(name) => DimensionProto { dim_value: None, dim_param: Some((*name).to_owned()) },
    };
    let shape = TensorShapeProto { dim: sides.iter().map(dimension).collect() };
    let tensor_type = TensorTypeProto { elem_type: FLOAT, shape: Some(shape) };
    let r#type = Some(TypeProto { tensor_type: Some(tensor_type) });
    ValueInfoProto { name: name.to_owned(), r#type, doc_string: about.to_owned() }
}
