"""A chat gateway in FastAPI: tokens in SQLite, feeds as topics, restarts that lose nothing.

    uvicorn examples.fastapi_gateway:app
    python examples/fastapi_gateway.py --port 0

A client of the gateway connects to /gateway. Who follows a feed gets what is posted to it:

    curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' \
        -d '{"text": "hello"}' http://127.0.0.1:8000/feeds/500/messages

The database is chat.db (or $CHAT_DB), made with two users if it is not there: anna with the token
"anna-token", who follows the feeds 500 and 501, and ben with "ben-token", who follows 500.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI, Header, HTTPException, WebSocket
from kedge import ArgumentError, Identify, LimitError, Message, Resume, StateError
from kedge.adapters import starlette
from kedge.gateway import Hub
from pydantic import BaseModel

DATABASE = os.environ.get("CHAT_DB", "chat.db")

# What an event may wait for a slow or absent client: count, bytes, seconds.
hub = Hub(topic_history=(1000, 4 << 20, 600.0))
app = FastAPI(lifespan=lambda app: starlette.lifespan(hub, state=f"{DATABASE}.gateway"))


@dataclass
class User:
    name: str
    feeds: list[int]


def look_up(token: str) -> User | None:
    """Asks the database, however long that takes."""
    with sqlite3.connect(DATABASE) as database:
        row = database.execute("SELECT name FROM users WHERE token = ?", (token,)).fetchone()
        if row is None:
            return None
        feeds = database.execute("SELECT feed FROM follows WHERE name = ?", row)
        return User(row[0], [feed for (feed,) in feeds])


@app.websocket("/gateway")
async def gateway(ws: WebSocket) -> None:
    async with starlette.link(ws, hub) as link:
        async for event in link:
            match event:
                case Identify(token=token) | Resume(token=token):
                    user = await asyncio.to_thread(look_up, token)
                    if user is None:
                        link.refuse(event)
                    else:
                        topics = ["presence", *(f"feed:{feed}" for feed in user.feeds)]
                        link.accept(
                            event,
                            user=user.name,
                            topics=topics,
                            members={"display_name": user.name},
                        )
                case Message(name="presence_update") if link.session is not None:
                    # Whose presence it is, the session tells, whatever the client says.
                    presence = {**event.data, "user": link.session.user}
                    hub.publish("presence", "presence_update", presence)


class Post(BaseModel):
    text: str


@app.post("/feeds/{feed}/messages")
async def post(feed: int, message: Post, authorization: str = Header()) -> dict[str, int]:
    user = await asyncio.to_thread(look_up, authorization.removeprefix("Bearer "))
    if user is None or feed not in user.feeds:
        raise HTTPException(403)
    payload = {"feed_id": feed, "author": user.name, "text": message.text}
    try:
        return {"sessions": hub.publish(f"feed:{feed}", "message_create", payload)}
    except (ArgumentError, LimitError) as error:
        # Half a surrogate pair, or more than a history holds.
        raise HTTPException(422, str(error)) from error
    except StateError as error:
        raise HTTPException(503, "the server is restarting", {"Retry-After": "2"}) from error


def set_up() -> None:
    with sqlite3.connect(DATABASE) as database:
        database.executescript(
            """
            CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, token TEXT UNIQUE NOT NULL);
            CREATE TABLE IF NOT EXISTS follows (name TEXT, feed INTEGER, UNIQUE (name, feed));
            INSERT OR IGNORE INTO users VALUES ('anna', 'anna-token'), ('ben', 'ben-token');
            INSERT OR IGNORE INTO follows VALUES ('anna', 500), ('anna', 501), ('ben', 500);
            """
        )


set_up()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A chat gateway in FastAPI.")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    uvicorn.run(app, port=parser.parse_args().port, ws_per_message_deflate=False)
