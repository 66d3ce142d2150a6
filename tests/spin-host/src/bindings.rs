//! The two Spin interfaces that the component imports: SQLite and variables.
//!
//! Only the functions that it calls are here; a component that imported another would not link.

wasmtime::component::bindgen!({
    inline: r#"
        package tidegate:tests;
        package spin:sqlite@3.1.0 {
            interface sqlite {
                resource connection {
                    open-async: static async func(database: string) -> result<connection, error>;
                    execute-async: async func(statement: string, parameters: list<value>)
                        -> result<tuple<list<string>, stream<row-result>, future<result<_, error>>>, error>;
                }
                variant error {
                    no-such-database,
                    access-denied,
                    invalid-connection,
                    database-full,
                    io(string),
                }
                record row-result { values: list<value> }
                variant value { integer(s64), real(f64), text(string), blob(list<u8>), null }
            }
        }
        package spin:variables@3.0.0 {
            interface variables {
                get: async func(name: string) -> result<string, error>;
                variant error { invalid-name(string), undefined(string), provider(string), other(string) }
            }
        }
        world spin {
            import spin:sqlite/sqlite@3.1.0;
            import spin:variables/variables@3.0.0;
        }
    "#,
    world: "tidegate:tests/spin",
    imports: { default: trappable | store },
    with: { "spin:sqlite/sqlite.connection": crate::sqlite::Connection },
});
