"""Drives `unrequested mcp` with the public SDK's client. Arguments: the program, the folder with `app` and `hangs` in it."""

import logging
import sys
from pathlib import Path

import anyio
from mcp import Client, MCPError, StdioServerParameters

PROGRAM, HOME = sys.argv[1], sys.argv[2]
# The words that `report::remedy` keeps from agents.
WORDS = sys.argv[3].split(",")
everything: list[str] = []


def server(*more: str) -> StdioServerParameters:
    return StdioServerParameters(command=PROGRAM, args=["--dir", "ledger", "mcp", *more], cwd=HOME)


def text(result) -> str:
    found = "\n".join(part.text for part in result.content)
    everything.append(found + repr(result.structured_content))
    return found


async def refused(code: int, call) -> str:
    try:
        await call
    except MCPError as error:
        assert error.error.code == code, error.error
        return error.error.message
    raise AssertionError(f"not refused with {code}")


async def speaks(mode: str, version: str) -> None:
    async with Client(server(), mode=mode) as client:
        assert client.protocol_version == version, client.protocol_version
        assert client.server_info.name == "unrequested"
        everything.append(client.instructions or "")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["check", "decisions", "explain", "fix"], list(tools)
        for tool in tools.values():
            everything.append(f"{tool.title} {tool.description} {tool.input_schema}")
            assert tool.title and tool.input_schema["type"] == "object"
        assert [name for name, tool in tools.items() if tool.annotations.read_only_hint] == ["decisions", "explain", "fix"]
        assert [name for name, tool in tools.items() if tool.annotations.destructive_hint] == ["check"]

        page = text(await client.call_tool("explain", {"id": "upload-naming"}))
        assert "Wanted" in page and "--only upload-naming" in page and "upload_dir" in page.lower(), page
        text(await client.call_tool("explain", {"id": "sql-access"}))
        of_exploit = text(await client.call_tool("explain", {"id": "sql-injection-search"}))
        assert of_exploit.startswith("bound-parameters-search"), of_exploit
        wrong = await client.call_tool("explain", {"id": "upload-namin"})
        assert wrong.is_error and "`upload-naming`" in text(wrong)

        read = await client.call_tool("decisions", {"app": "app", "only": ["upload-naming", "password-hash"]})
        found = {one["decision"]: one for one in read.structured_content["decisions"]}
        assert found["password-hash"]["choice"].startswith("SHA-256") and found["upload-naming"]["file"] == "app/main.py"
        assert "app/main.py:" in text(read) and not read.is_error

        assert "no such tool" in await refused(-32602, client.call_tool("bench", {}))
        for arguments, says in [
            ({"app": ".."}, "--anywhere"),
            ({"app": "http://192.0.2.1/"}, "only apps of this machine"),
            ({"only": ["nothing"]}, "there is no finding"),
            ({"app": 7}, "is a text"),
            ({"app": "no-app"}, "NOTHING WAS TESTED"),
        ]:
            told = await client.call_tool("check", arguments)
            assert told.is_error and says in text(told), (arguments, told)
        early = await client.call_tool("fix", {"finding": "77"})
        assert early.is_error, early
        text(early)


async def checks() -> None:
    async with Client(server(), mode="legacy") as client:
        beats: list[tuple[float, str | None]] = []

        async def beat(progress: float, total: float | None, message: str | None) -> None:
            beats.append((progress, message))

        # The client compares it with the tool's output schema.
        told = await client.call_tool("check", {"app": "app", "only": ["upload-naming", "password-hash"]}, progress_callback=beat)
        said = text(told)
        run = told.structured_content
        assert not told.is_error and run["tested"] == 2 and run["missing"] == 2 and run["complete"], said
        assert [one["id"] for one in run["findings"]] == ["upload-naming", "password-hash"], run
        first, second = run["findings"]
        assert first["asked_for"] and not second["asked_for"] and first["state"] == "open" and first["counts"]
        assert first["places"][0]["file"] == "app/main.py" and first["places"][0]["line"] > 0
        assert first["acceptance"] == "unrequested check --only upload-naming app"
        assert run["run"] in said and first["control"] in said and "app/main.py:" in said
        assert beats and beats == sorted(beats) and beats[0][1].startswith("check, "), beats
        everything.extend(message or "" for _, message in beats)

        fix = text(await client.call_tool("fix", {"finding": "upload-naming", "run": run["run"]}))
        assert "Wanted: stored files get a name" in fix and "Done when" in fix, fix
        assert fix == text(await client.call_tool("fix", {"finding": "1"}))


def children() -> list[str]:
    """Living processes, other than the server, that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = (process / "cwd").readlink().as_posix()
        except OSError:
            continue
        if PROGRAM in line and where == HOME and " mcp" not in line and "client.py" not in line:
            found.append(line)
    return found


async def until(holds) -> None:
    # By itself, the app that hangs is given up after 45 s.
    with anyio.fail_after(25):
        while not holds():
            await anyio.sleep(0.02)


async def cancels() -> None:
    async with Client(server(), mode="legacy") as client:
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()

            async def waits() -> None:
                with scope:
                    await client.call_tool("check", {"app": "hangs"})
                    raise AssertionError("it answered")

            tasks.start_soon(waits)
            await until(lambda: any("check" in line for line in children()))
            scope.cancel()
        await until(lambda: not children())
        # And the server goes on.
        assert not (await client.call_tool("decisions", {"app": "app", "only": ["cors"]})).is_error


async def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    await speaks("legacy", "2025-11-25")
    await speaks("auto", "2026-07-28")
    await checks()
    await cancels()
    whole = "\n".join(everything).lower()
    for word in WORDS:
        assert word not in whole, f"{word}: {whole[max(0, whole.find(word) - 200) : whole.find(word) + 100]}"


anyio.run(main)
print("ok")
