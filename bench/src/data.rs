//! What is sent.

use serde_json::{Value, json};

/// The schema of the worked example.
pub const EMPLOYEE_SCHEMA: &str = include_str!("../../examples/data/employee.schema.json");

/// An employee of about 210 bytes.
pub fn employee(number: usize) -> Value {
    json!({
        "employeeId": format!("{number:06}"),
        "employee": {
            "name": format!("Employee number {number}"),
            "username": format!("employee{number}"),
            "email": format!("employee{number}@example.com"),
        },
        "createdAt": format!("2026-01-{:02}", 1 + number % 28),
        "department": "Research",
        "manager": format!("{:06}", number / 8),
        "salary": 1000 + number % 5000,
        "active": !number.is_multiple_of(7),
    })
}

/// An employee with a field that nobody knows.
pub fn rejected_employee(number: usize) -> Value {
    let mut employee = employee(number);
    if let Some(members) = employee.as_object_mut() {
        members.insert("salry".to_owned(), json!(1));
    }
    employee
}

/// As many employees as fit into so many bytes, as the text of an array.
pub fn employees(bytes: usize) -> String {
    let mut text = String::from("[");
    for number in 0.. {
        let employee = employee(number).to_string();
        if text.len() + employee.len() + 2 > bytes {
            break;
        }
        if number > 0 {
            text.push(',');
        }
        text.push_str(&employee);
    }
    text.push(']');
    text
}

/// The schema of [`servers`].
pub fn server_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "by": { "type": "string" },
            "load": { "type": "integer" },
            "note": { "type": "string" }
        },
        "resmo": { "id": "id", "name": "by" }
    })
}

/// So many servers, of which 18,000 are just less than 4 MiB, as the text of an array.
pub fn servers(count: usize) -> String {
    let note = "x".repeat(174);
    let server = |index| json!({ "id": format!("server-{index:05}"), "by": "inventory", "load": index % 100, "note": note });
    Value::from((0..count).map(server).collect::<Vec<_>>()).to_string()
}

/// The schema of [`catalogue`].
pub fn catalogue_schema() -> Value {
    let string = json!({ "type": "string" });
    let length = json!({ "type": "number", "exclusiveMinimum": 0 });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Catalogue",
        "type": "object",
        "required": ["catalogueId", "products"],
        "properties": {
            "catalogueId": string,
            "title": string,
            "owner": { "type": "object", "properties": { "team": string, "email": { "type": "string", "format": "email" } } },
            "products": { "type": "array", "items": { "$ref": "#/$defs/product" } }
        },
        "$defs": {
            "product": {
                "type": "object",
                "additionalProperties": false,
                "required": ["sku", "title", "price"],
                "properties": {
                    "sku": { "type": "string", "pattern": "^SKU-[0-9]{8}$" },
                    "title": { "type": "string", "minLength": 1, "maxLength": 200 },
                    "description": string,
                    "price": {
                        "type": "object",
                        "required": ["amount", "currency"],
                        "properties": {
                            "amount": { "type": "number", "minimum": 0 },
                            "currency": { "enum": ["EUR", "USD", "GBP"] }
                        }
                    },
                    "tags": { "type": "array", "items": string, "maxItems": 20 },
                    "dimensions": {
                        "type": "object",
                        "properties": { "width": length, "height": length, "depth": length }
                    },
                    "stock": { "type": "integer", "minimum": 0 },
                    "available": { "type": "boolean" },
                    "supplier": {
                        "type": "object",
                        "properties": { "id": string, "name": string, "country": { "type": "string", "maxLength": 2 } }
                    },
                    "updatedAt": { "type": "string", "format": "date-time" }
                }
            }
        },
        "resmo": {
            "id": "catalogueId",
            "name": "title",
            "importantFields": ["title", "owner.team"]
        }
    })
}

/// One resource with as many products of about 450 bytes as fit into so many bytes, and at least one.
pub fn catalogue(bytes: usize) -> String {
    let mut text = String::from(
        "{\"catalogueId\":\"spring\",\"title\":\"Spring catalogue\",\
         \"owner\":{\"team\":\"garden\",\"email\":\"garden@example.com\"},\"products\":[",
    );
    for number in 0.. {
        let product = product(number).to_string();
        if number > 0 {
            if text.len() + product.len() + 3 > bytes {
                break;
            }
            text.push(',');
        }
        text.push_str(&product);
    }
    text.push_str("]}");
    text
}

fn product(number: usize) -> Value {
    json!({
        "sku": format!("SKU-{number:08}"),
        "title": format!("Product number {number}"),
        "description": "A watering can of galvanised steel that holds ten litres, with a rose of brass and two handles.",
        "price": { "amount": 10.25 + (number % 900) as f64, "currency": "EUR" },
        "tags": ["garden", "steel", format!("batch-{}", number % 97)],
        "dimensions": { "width": 20 + number % 30, "height": 40.5, "depth": 12 },
        "stock": number % 500,
        "available": !number.is_multiple_of(9),
        "supplier": { "id": format!("SUP-{:04}", number % 50), "name": "Müller & Söhne", "country": "DE" },
        "updatedAt": "2026-03-14T09:26:53Z",
    })
}

/// The schema of [`wrong_list`].
pub fn list_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "list": { "type": "array", "items": { "type": "string" } }
        },
        "resmo": { "id": "id" }
    })
}

/// A resource with so many violations: elements of the wrong type.
pub fn wrong_list(violations: usize) -> Value {
    json!({ "id": "1", "list": (0..violations).collect::<Vec<_>>() })
}
