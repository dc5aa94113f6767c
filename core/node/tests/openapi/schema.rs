//! Reads `docs/openapi.json`, and checks values against its schemas: as much of JSON Schema as the document uses, and strictly: what a schema does
//! not name must not be there.

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../../docs/openapi.json");
        Self(serde_json::from_str(text).expect("docs/openapi.json is JSON"))
    }

    pub(crate) fn whole(&self) -> &Value {
        &self.0
    }

    /// Method and path of all that it describes.
    pub(crate) fn operations(&self) -> BTreeSet<(String, String)> {
        let paths = self.0["paths"].as_object().expect("paths");
        let each = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| (method.clone(), path.clone()))
        });
        each.collect()
    }

    pub(crate) fn check_request(&self, method: &str, path: &str, body: &Value) {
        let content = &self.operation(method, path)["requestBody"]["content"];
        self.check(&content["application/json"]["schema"], body, &format!("{method} {path}, asked"));
    }

    pub(crate) fn check_answer(&self, method: &str, path: &str, answer: &Value) {
        let content = &self.operation(method, path)["responses"]["200"]["content"];
        let content = content.as_object().and_then(|kinds| kinds.values().next()).expect("a kind of content");
        self.check(&content["schema"], answer, &format!("{method} {path}, answered"));
    }

    pub(crate) fn check_error(&self, error: &Value) {
        self.check(&self.0["components"]["schemas"]["Error"], error, "an error");
    }

    /// Whatever it refers to is there, and all that is there is referred to.
    pub(crate) fn check_references(&self) {
        let mut found = BTreeSet::new();
        references(&self.0, &mut found);
        let schemas = self.0["components"]["schemas"].as_object().expect("schemas");
        let there = schemas.keys().map(|name| format!("#/components/schemas/{name}"));
        let there: BTreeSet<String> = there.chain(["#/components/responses/Error".to_owned()]).collect();
        assert_eq!(found, there);
    }

    /// The scope that a token needs for an operation. The owner, who shows none, needs nothing.
    pub(crate) fn scope(&self, method: &str, path: &str) -> String {
        let security = &self.operation(method, path)["security"];
        assert_eq!(security[1], serde_json::json!({}), "{method} {path}");
        let scopes =
            security[0]["bearer"].as_array().unwrap_or_else(|| panic!("{method} {path} takes no scope"));
        let [Value::String(scope)] = scopes.as_slice() else { panic!("{method} {path} takes {scopes:?}") };
        scope.clone()
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let operation = &self.0["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        operation
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) {
        if let Err(why) = self.fits(schema, value, at) {
            panic!("{why}\n{value:#}");
        }
    }

    fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fail = |why: &str| Err(format!("{at}: {why}: {value}"));
        if let Some(name) = schema["$ref"].as_str() {
            let target = self.0.pointer(name.strip_prefix('#').expect("a local reference")).expect(name);
            return self.fits(target, value, at);
        }
        if let Some(either) = schema["oneOf"].as_array() {
            let fitting = either.iter().filter(|schema| self.fits(schema, value, at).is_ok()).count();
            return if fitting == 1 { Ok(()) } else { fail(&format!("{fitting} of oneOf fit")) };
        }
        if schema.get("const").is_some_and(|only| only != value) {
            return fail("is not the constant");
        }
        if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
            return fail("is none of the known values");
        }
        if let Some(allowed) = types(schema)
            && !allowed.iter().any(|kind| is(kind, value))
        {
            return fail(&format!("is not of {allowed:?}"));
        }
        let out_of_range = |number: u64| {
            schema["minimum"].as_u64().is_some_and(|least| number < least)
                || schema["maximum"].as_u64().is_some_and(|most| number > most)
        };
        match value {
            Value::String(text) if schema["format"] == "date-time" && !is_time(text) => fail("is no time"),
            Value::String(text) if !fits_pattern(&schema["pattern"], text) => fail("is no id"),
            Value::Number(number) if number.as_u64().is_some_and(out_of_range) => fail("is out of range"),
            Value::Array(items) => {
                let mut each = items.iter().enumerate();
                each.try_for_each(|(index, item)| {
                    self.fits(&schema["items"], item, &format!("{at}[{index}]"))
                })
            }
            Value::Object(_) => self.fits_object(schema, value, at),
            _ => Ok(()),
        }
    }

    fn fits_object(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.get(required).is_none() {
                return Err(format!("{at}: {required} is missing"));
            }
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            let known = schema["properties"].get(name).or(schema.get("additionalProperties"));
            let known = known.ok_or_else(|| format!("{at}: {name} is not in the document"))?;
            self.fits(known, member, &format!("{at}.{name}"))?;
        }
        Ok(())
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn types(schema: &Value) -> Option<Vec<&str>> {
    match &schema["type"] {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document says {other}, which is no type"),
    }
}

/// RFC 3339, in UTC.
fn is_time(text: &str) -> bool {
    text.ends_with('Z') && serde_json::from_value::<wayside_node::api::types::Time>(text.into()).is_ok()
}

/// As much of patterns as there is in the document: how many hexadecimal digits.
fn fits_pattern(pattern: &Value, text: &str) -> bool {
    let lengths = match pattern.as_str() {
        None => return true,
        Some("^[0-9a-f]{32}$") => 32..=32,
        Some("^[0-9a-f]{16,32}$") => 16..=32,
        Some(other) => panic!("the document says {other}, which this test does not know"),
    };
    lengths.contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
