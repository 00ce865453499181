//! A whole document as our reader has it, to be compared with what serde_json makes of it.

use rebalancer::json::{Error, Next, Reader};
use serde_json::Value as Json;

/// The whole document as our reader has it, in serde_json's form.
pub fn walk(text: &str) -> Result<Json, Error> {
    fn value(reader: &mut Reader<'_>) -> Result<Json, Error> {
        Ok(match reader.next() {
            Next::Object => {
                let mut members = serde_json::Map::new();
                reader.object(&mut |reader, key| {
                    members.insert(key.to_string(), value(reader)?);
                    Ok(())
                })?;
                Json::Object(members)
            }
            Next::Array => {
                let mut elements = Vec::new();
                reader.array(&mut |reader| {
                    elements.push(value(reader)?);
                    Ok(())
                })?;
                Json::Array(elements)
            }
            Next::Text => Json::String(reader.text()?),
            Next::Number => serde_json::from_str(&reader.number()?).unwrap_or(Json::Null),
            Next::Word => reader.truth()?.map_or(Json::Null, Json::Bool),
        })
    }
    value(&mut Reader::new(text)?)
}
