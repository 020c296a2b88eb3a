# %% [markdown]
# # The whole path of a HuMob submission, as a notebook
#
# Cells as jupytext and most editors read them; `python examples/notebook.py` runs them all. With
# data of the challenge, begin with `hm.read("your_file.csv.gz")` instead.

# %%
import polars as pl

import humobctl as hm

# %% A city with days 0-74, and what it looks like.
city = hm.synth(users=30, seed=1)
hm.describe(city)

# %% The challenge: days 60-74 are hidden.
challenge = hm.mask(city, from_day=60)
challenge.filter(pl.col("x") == 999).height

# %% Two models, compared with bootstrap intervals over users.
history = hm.predict(challenge)
mode = hm.predict(challenge, model="slot-mode", decode="argmax")
scores = hm.evaluate({"history": history, "slot-mode": mode}, city, dialect="humob25")
print(scores)

# %% The same as a frame, and as a table for a paper.
print(scores.to_frame().head(4))
print(scores.to_latex())

# %% Why those cells, for one user.
hm.explain(challenge, 3).select("d", "t", "x", "y", "p", "visits", "home_km").head()
