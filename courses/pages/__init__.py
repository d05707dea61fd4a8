"""The staff's pages: server-rendered, every action a plain link or form. They validate, call one service, redirect."""
