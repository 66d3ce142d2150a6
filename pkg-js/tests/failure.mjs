import assert from "node:assert/strict";

/** What a promise is rejected with. */
export const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("it should have been rejected");
};
