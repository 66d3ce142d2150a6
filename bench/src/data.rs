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
