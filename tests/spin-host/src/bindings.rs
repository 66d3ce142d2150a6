//! The three Spin interfaces that the component imports: SQLite, PostgreSQL and variables.
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
        package spin:postgres@4.2.0 {
            interface postgres {
                resource connection {
                    open-async: static async func(address: string) -> result<connection, error>;
                    query-async: async func(statement: string, params: list<parameter-value>)
                        -> result<tuple<list<column>, stream<row>, future<result<_, error>>>, error>;
                }
                variant error {
                    connection-failed(string),
                    bad-parameter(string),
                    query-failed(query-error),
                    value-conversion-failed(string),
                    other(string),
                }
                variant query-error { text(string), db-error(db-error) }
                record db-error {
                    as-text: string,
                    severity: string,
                    code: string,
                    message: string,
                    detail: option<string>,
                    extras: list<tuple<string, string>>,
                }
                record column { name: string, data-type: db-data-type }
                variant db-data-type {
                    boolean, int8, int16, int32, int64, floating32, floating64, str, binary, date, time,
                    datetime, timestamp, uuid, jsonb, decimal, range-int32, range-int64, range-decimal,
                    array-int32, array-int64, array-decimal, array-str, interval, other(string),
                }
                type row = list<db-value>;
                enum range-bound-kind { inclusive, exclusive }
                record interval { micros: s64, days: s32, months: s32 }
                variant db-value {
                    boolean(bool),
                    int8(s8),
                    int16(s16),
                    int32(s32),
                    int64(s64),
                    floating32(f32),
                    floating64(f64),
                    str(string),
                    binary(list<u8>),
                    date(tuple<s32, u8, u8>),
                    time(tuple<u8, u8, u8, u32>),
                    datetime(tuple<s32, u8, u8, u8, u8, u8, u32>),
                    timestamp(s64),
                    uuid(string),
                    jsonb(list<u8>),
                    decimal(string),
                    range-int32(tuple<option<tuple<s32, range-bound-kind>>, option<tuple<s32, range-bound-kind>>>),
                    range-int64(tuple<option<tuple<s64, range-bound-kind>>, option<tuple<s64, range-bound-kind>>>),
                    range-decimal(tuple<option<tuple<string, range-bound-kind>>, option<tuple<string, range-bound-kind>>>),
                    array-int32(list<option<s32>>),
                    array-int64(list<option<s64>>),
                    array-decimal(list<option<string>>),
                    array-str(list<option<string>>),
                    interval(interval),
                    db-null,
                    unsupported(list<u8>),
                }
                variant parameter-value {
                    boolean(bool),
                    int8(s8),
                    int16(s16),
                    int32(s32),
                    int64(s64),
                    floating32(f32),
                    floating64(f64),
                    str(string),
                    binary(list<u8>),
                    date(tuple<s32, u8, u8>),
                    time(tuple<u8, u8, u8, u32>),
                    datetime(tuple<s32, u8, u8, u8, u8, u8, u32>),
                    timestamp(s64),
                    uuid(string),
                    jsonb(list<u8>),
                    decimal(string),
                    range-int32(tuple<option<tuple<s32, range-bound-kind>>, option<tuple<s32, range-bound-kind>>>),
                    range-int64(tuple<option<tuple<s64, range-bound-kind>>, option<tuple<s64, range-bound-kind>>>),
                    range-decimal(tuple<option<tuple<string, range-bound-kind>>, option<tuple<string, range-bound-kind>>>),
                    array-int32(list<option<s32>>),
                    array-int64(list<option<s64>>),
                    array-decimal(list<option<string>>),
                    array-str(list<option<string>>),
                    interval(interval),
                    db-null,
                }
            }
        }
        package spin:variables@3.0.0 {
            interface variables {
                get: async func(name: string) -> result<string, error>;
                variant error { invalid-name(string), undefined(string), provider(string), other(string) }
            }
        }
        world spin {
            import spin:postgres/postgres@4.2.0;
            import spin:sqlite/sqlite@3.1.0;
            import spin:variables/variables@3.0.0;
        }
    "#,
    world: "tidegate:tests/spin",
    imports: { default: trappable | store },
    with: {
        "spin:postgres/postgres.connection": crate::postgres::Connection,
        "spin:sqlite/sqlite.connection": crate::sqlite::Connection,
    },
});
