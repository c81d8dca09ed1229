//! Where the pictures of a data set come from, as far as its kind tells. Cards state it.

/// Where pictures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// FER2013: found on the web by searching for words for emotions (Goodfellow et al. 2013).
    WebOf2013,
    /// CK+ (Lucey et al. 2010).
    CkPlus,
    /// JAFFE (Lyons et al. 1998).
    Jaffe,
    /// KDEF (Lundqvist et al. 1998).
    Kdef,
    /// A user's folder or list.
    Unknown,
}

impl Origin {
    /// What the pictures are, worded to follow “learnt from”.
    pub fn about(self) -> &'static str {
        match self {
            Self::WebOf2013 => {
                "pictures found on the web around 2013 by words for emotions, with the biases of that choice"
            }
            Self::CkPlus => {
                "expressions that adults of 18 to 50 years, 69 % of them women, acted before a laboratory's camera (CK+)"
            }
            Self::Jaffe => "expressions that Japanese women acted before a laboratory's camera (JAFFE)",
            Self::Kdef => "expressions that amateur actors of 20 to 30 years showed in a studio (KDEF)",
            Self::Unknown => "pictures that came without a word of where they are from",
        }
    }

    /// Whether people acted the expressions on request.
    pub fn is_acted(self) -> bool {
        matches!(self, Self::CkPlus | Self::Jaffe | Self::Kdef)
    }
}
